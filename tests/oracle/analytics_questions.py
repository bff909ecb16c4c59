"""Questions about how things did over a range of time."""

from collections.abc import Callable
from typing import Any

from tests.oracle.grouping import GROUP_BY
from tests.oracle.latencies import latency
from tests.oracle.measures import DAY_NS
from tests.oracle.model import Model
from tests.oracle.overviews import overview
from tests.oracle.questions import SPAN_FILTERS, Drawer, Parameters, Question, range_or_default
from tests.oracle.throughputs import throughput
from tests.oracle.traces import TraceFilters
from tests.oracle.usage import gpus, models, services

DEFAULT_LIMIT = 100


def get_overview(draw: Drawer) -> Question:
    return _asked(draw, "/analytics/overview", {}, overview)


def get_latency(draw: Drawer) -> Question:
    parameters: Parameters = {}
    bucket, group_by = _bucket_and_group(draw, parameters)
    of = draw.dice.choice(("trace", "span", "ttft", "queue"))
    if of != "trace" or draw.maybe(0.5):
        parameters["of"] = of
    return _asked(
        draw, "/analytics/latency", parameters, lambda model, wanted: latency(model, of, group_by, bucket, wanted)
    )


def get_throughput(draw: Drawer) -> Question:
    parameters: Parameters = {}
    bucket, group_by = _bucket_and_group(draw, parameters)
    return _asked(
        draw, "/analytics/throughput", parameters, lambda model, wanted: throughput(model, group_by, bucket, wanted)
    )


def get_services(draw: Drawer) -> Question:
    return _busiest(draw, "/analytics/services", services)


def get_models(draw: Drawer) -> Question:
    return _busiest(draw, "/analytics/models", models)


def get_gpus(draw: Drawer) -> Question:
    return _busiest(draw, "/analytics/gpus", gpus)


def _bucket_and_group(draw: Drawer, parameters: Parameters) -> tuple[int | None, str | None]:
    bucket = group_by = None
    if draw.maybe(0.6):
        parameters["bucket"] = bucket = draw.dice.choice((1, 7, 60, 600, 3600, 3601, 86_400, 7 * 86_400))
    if draw.maybe(0.6):
        parameters["group_by"] = group_by = draw.dice.choice(GROUP_BY)
    return bucket, group_by


def _busiest(draw: Drawer, path: str, answer: Callable[[Model, int, TraceFilters], Any]) -> Question:
    parameters: Parameters = {}
    limit = DEFAULT_LIMIT
    if draw.maybe(0.4):
        parameters["limit"] = limit = draw.dice.choice((1, 2, 3, 1000))
    return _asked(draw, path, parameters, lambda model, wanted: answer(model, limit, wanted))


def _asked(draw: Drawer, path: str, parameters: Parameters, answer: Callable[[Model, TraceFilters], Any]) -> Question:
    """Return the question with filters and a range, by default the 24 hours before its end, which is now by default."""
    one_span = draw.filters(parameters, SPAN_FILTERS)
    start_ns, end_ns = range_or_default(draw, parameters)

    def at(model: Model, now_ns: int) -> Any:
        last_ns = now_ns if end_ns is None else end_ns
        first_ns = last_ns - DAY_NS if start_ns is None else start_ns
        return answer(model, TraceFilters(first_ns, last_ns, one_span=one_span))

    return Question(path, parameters, at)
