"""The endpoints that are asked, how a question of each is drawn, and how fast its answer has to be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.query.drawing import (
    ANALYTICS_FILTERS,
    DAY,
    HOUR,
    MONTH,
    SPAN_FILTERS,
    Drawing,
    Parameters,
    any_range,
    day,
    filters,
    page,
    past,
    since,
)

TRACE_ORDERS = ("start_time", "duration_ms", "error_count", "span_count", "cost_usd")
SPAN_ORDERS = ("start_time", "duration_ms", "cost_usd")
GROUPS = ("service_name", "model_name", "environment", "resource_uuid", "node_id", "name")
IDENTIFIERS = ("user.id", "session.id", "request.id", "enduser.id", "gen_ai.conversation.id", "gen_ai.response.id")
"""Attributes whose values few spans share."""
COMMON = (
    ("http.route", "/v1/chat/completions"), ("http.route", "/v1/embeddings"), ("http.route", "/v1/answers"),
    ("gen_ai.response.finish_reasons", '["stop"]'), ("gen_ai.response.finish_reasons", '["length"]'),
    ("http.response.status_code", "503"), ("cache.hit", "true"), ("tenant.plan", "enterprise"),
)  # fmt: skip
"""Attributes and values that many spans have."""

Make = Callable[[Drawing], tuple[str, Parameters]]
"""Returns a path below /api/v1 and its parameters."""


@dataclass(frozen=True)
class Endpoint:
    """One row of the table."""

    make: Make
    filled: str
    """What the beginning of an answer has in it that is not empty: a regular expression."""
    target_ms: float | None = None
    """What 95 of 100 answers must not take longer than; None where nothing is promised."""
    rate: float | None = None
    """Questions a second of its paced phase, where that is not every endpoint's."""
    share: int = 1
    """How much of the mixed phase it is, in proportion."""
    is_followed: bool = False
    """Whether some of the questions are the pages after others."""


def traces(by: Drawing) -> tuple[str, Parameters]:
    chosen = filters(by, SPAN_FILTERS, (0, 0, 1, 1, 1, 2, 2, 3)) | any_range(by) | page(by, TRACE_ORDERS)
    if by.chance(0.2):
        chosen["status"] = by.dice.choice(("ok", "error", "unset"))
    if by.chance(0.15):
        chosen["min_duration_ms"] = by.dice.choice((10, 100, 1000, 5000, 20_000))
    if by.chance(0.1):
        chosen["max_duration_ms"] = by.dice.choice((20_000, 60_000))
    return "/traces", chosen


def trace(by: Drawing) -> tuple[str, Parameters]:
    live = by.values.live_traces
    return f"/traces/{by.dice.choice(live if live and by.chance(0.3) else by.values.traces)}", {}


def large_trace(by: Drawing) -> tuple[str, Parameters]:
    return f"/traces/{by.dice.choice(by.values.large_traces or by.values.traces)}", {}


def trace_spans(by: Drawing) -> tuple[str, Parameters]:
    span = by.span()
    chosen: Parameters = {"limit": by.dice.choice((20, 100, 1000))}
    return f"/traces/{span.trace_id}/spans", chosen | ({"service_name": span.service_name} if by.chance(0.4) else {})


def needle(by: Drawing) -> tuple[str, Parameters]:
    """Ask for a value that few spans of the month have."""
    span = by.span_with(IDENTIFIERS)
    key = by.dice.choice([key for key in IDENTIFIERS if key in span.attributes])
    chosen: Parameters = {f"attr.{key}": span.attributes[key], "limit": by.dice.choice((20, 50))}
    return "/traces", chosen | (since(by, MONTH) if by.chance(0.3) else {})


def common(by: Drawing) -> tuple[str, Parameters]:
    """Ask for a value that many spans have, in an hour, a day or the month."""
    key, value = by.dice.choice(COMMON)
    chosen: Parameters = {f"attr.{key}": value, "limit": by.dice.choice((20, 50))}
    return "/traces", chosen | by.dice.choice((since(by, HOUR), since(by, DAY), past(by, DAY), {}))


def attribute(by: Drawing) -> tuple[str, Parameters]:
    return needle(by) if by.chance(0.6) else common(by)


def spans(by: Drawing) -> tuple[str, Parameters]:
    return "/spans", filters(by, SPAN_FILTERS, (0, 1, 1, 2, 3)) | any_range(by) | page(by, SPAN_ORDERS)


def overview(by: Drawing) -> tuple[str, Parameters]:
    return "/analytics/overview", filters(by, ANALYTICS_FILTERS, (0, 0, 1, 1, 2)) | day(by)


def overview_of_month(by: Drawing) -> tuple[str, Parameters]:
    return "/analytics/overview", filters(by, ANALYTICS_FILTERS, (0, 0, 1)) | since(by, MONTH)


def latency(by: Drawing) -> tuple[str, Parameters]:
    chosen = filters(by, ANALYTICS_FILTERS, (0, 0, 1, 1, 2)) | day(by)
    chosen["of"] = by.dice.choice(("trace", "trace", "span", "ttft", "queue"))
    return "/analytics/latency", chosen | _grouped(by)


def throughput(by: Drawing) -> tuple[str, Parameters]:
    return "/analytics/throughput", filters(by, ANALYTICS_FILTERS, (0, 0, 1)) | day(by) | _grouped(by)


def _grouped(by: Drawing) -> Parameters:
    return {"group_by": by.dice.choice(GROUPS)} if by.chance(0.5) else {}


def ranking(path: str) -> Make:
    """Return the way to ask for one row a service, a model or a GPU."""
    return lambda by: (path, filters(by, ANALYTICS_FILTERS, (0, 0, 1)) | day(by))


def gpus(by: Drawing) -> tuple[str, Parameters]:
    gpu = by.gpu()
    one = by.dice.choice(({}, {"node_id": gpu.node_id}, {"physical_uuid": gpu.physical_uuid}, {"q": gpu.node_id[-4:]}))
    return "/gpus", {**one, "limit": by.dice.choice((20, 50, 100))}


def gpu_metrics(by: Drawing) -> tuple[str, Parameters]:
    return f"/gpus/{by.gpu().resource_uuid}/metrics", _charted(by)


def card_metrics(by: Drawing) -> tuple[str, Parameters]:
    return f"/physical-gpus/{by.gpu().physical_uuid}/metrics", _charted(by)


def _charted(by: Drawing) -> Parameters:
    chosen = since(by, DAY) if by.chance(0.5) else past(by, DAY)
    return chosen | ({"aggregate": by.dice.choice(("avg", "max", "min", "last"))} if by.chance(0.5) else {})


def registry(by: Drawing) -> tuple[str, Parameters]:
    path = by.dice.choice(("/physical-gpus", "/compute-resources", "/resource-contexts"))
    return path, {"limit": by.dice.choice((20, 50, 100))}


LISTED = r'": ?\[\{"'
COUNTED = r'"(total_traces|count|traces|spans|span_count)": ?[1-9]'

# What has a number to reach comes first: what arrives meanwhile makes the last 24 hours larger than a day of the month.
ENDPOINTS: Mapping[str, Endpoint] = {
    "trace by id": Endpoint(trace, COUNTED, 30, share=8),
    "trace list": Endpoint(traces, LISTED, 60, share=8, is_followed=True),
    "attribute search": Endpoint(attribute, LISTED, 300, share=2),
    "overview, 24 h": Endpoint(overview, COUNTED, 100, share=4),
    "latency, 24 h": Endpoint(latency, COUNTED, 100, share=3),
    "GPU metrics, 24 h": Endpoint(gpu_metrics, LISTED, 60, share=4),
    "trace of 10,000 spans": Endpoint(large_trace, COUNTED, 300, rate=1),
    "spans of a trace": Endpoint(trace_spans, LISTED, share=2),
    "spans": Endpoint(spans, LISTED, is_followed=True),
    "overview, 30 days": Endpoint(overview_of_month, COUNTED),
    "throughput, 24 h": Endpoint(throughput, COUNTED, share=2),
    "services, 24 h": Endpoint(ranking("/analytics/services"), LISTED),
    "models, 24 h": Endpoint(ranking("/analytics/models"), LISTED),
    "analytics of GPUs, 24 h": Endpoint(ranking("/analytics/gpus"), LISTED),
    "card's metrics, 24 h": Endpoint(card_metrics, LISTED, 60),
    "GPUs": Endpoint(gpus, LISTED, share=2),
    "registry": Endpoint(registry, LISTED),
}
