"""GET /analytics/throughput: traces, spans, failures and tokens by time and by group."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from analytics.queries.group_series import MOST_GROUPS
from analytics.series import MAX_POINTS
from analytics.times import format_time
from tests.analytics.conftest import Get, wrong
from tests.conftest import Ingest
from tests.otlp import ERROR, SECOND_NS, gpu, request, span

HOUR_NS = 3600 * SECOND_NS
# a whole hour, some hours ago
HOUR = (time.time_ns() // HOUR_NS - 5) * HOUR_NS
RANGE = {"start": format_time(HOUR), "end": format_time(HOUR + HOUR_NS)}
NOTHING = {"traces": 0, "spans": 0, "errors": 0, "tokens_input": 0, "tokens_output": 0, "tokens_per_second": 0}

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(get: Get) -> Ask:
    """Ask for the series of the hour, by half hours: `ask(group_by="name", …)`."""

    def send(**parameters: object) -> list[dict[str, Any]]:
        answer = get("/analytics/throughput", {**RANGE, "bucket": 1800, **parameters})
        series: list[dict[str, Any]] = answer["series"]
        return series

    return send


def tokens(model: str, output: int) -> dict[str, object]:
    return {
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": 10 * output,
        "gen_ai.usage.output_tokens": output,
    }


def shown(points: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(point[name] for name in names) for point in points]


def test_of_nothing_the_series_is_gap_free(clickhouse: object, get: Get) -> None:  # noqa: ARG001
    assert get("/analytics/throughput", RANGE) == {
        **RANGE,
        "bucket_seconds": 30,
        "series": [{"timestamp": format_time(HOUR + at * 30 * SECOND_NS), **NOTHING} for at in range(120)],
    }


def test_each_bucket_counts_what_began_in_it(ingest: Ingest, ask: Ask) -> None:
    trace, root = os.urandom(16), os.urandom(8)
    late = HOUR + 1800 * SECOND_NS
    ingest(
        request(
            span(trace_id=trace, span_id=root, start_ns=HOUR, status=ERROR, attributes=tokens("a", 1800)),
            span(trace_id=trace, parent_span_id=root, start_ns=late, attributes=tokens("b", 900)),
            span(start_ns=late + 1),
            span("before", start_ns=HOUR - 1),
            span("after", start_ns=HOUR + HOUR_NS),
        )
    )
    first = {"traces": 1, "spans": 1, "errors": 1, "tokens_input": 18_000, "tokens_output": 1800}
    second = {"traces": 1, "spans": 2, "errors": 0, "tokens_input": 9000, "tokens_output": 900}
    assert ask() == [
        {"timestamp": format_time(HOUR), **first, "tokens_per_second": 1.0},
        {"timestamp": format_time(late), **second, "tokens_per_second": 0.5},
    ]


def test_the_speed_is_over_the_part_of_the_bucket_within_the_range(ingest: Ingest, ask: Ask) -> None:
    ingest(request(*(span(start_ns=HOUR + at * SECOND_NS, attributes=tokens("a", 60)) for at in (20, 40, 65))))
    inner = {"start": format_time(HOUR + 20 * SECOND_NS), "end": format_time(HOUR + 70 * SECOND_NS)}
    assert shown(ask(**inner, bucket=60), "tokens_output", "tokens_per_second") == [(120, 3.0), (60, 6.0)]
    assert shown(ask(**inner, bucket=3600), "tokens_output", "tokens_per_second") == [(180, 180 / 50)]


def test_filters_choose_spans_and_the_traces_that_have_one(ingest: Ingest, ask: Ask) -> None:
    trace, root = os.urandom(16), os.urandom(8)
    ingest(
        request(
            span(trace_id=trace, span_id=root, start_ns=HOUR),
            # its trace began before it, in the bucket before
            span(trace_id=trace, parent_span_id=root, start_ns=HOUR + 2000 * SECOND_NS, attributes=tokens("a", 1)),
        )
    )
    assert shown(ask(model_name="a"), "traces", "spans") == [(1, 0), (0, 1)]
    assert shown(ask(model_name="b"), "traces", "spans") == [(0, 0), (0, 0)]
    # and after the range
    first_half = {"end": format_time(HOUR + 1800 * SECOND_NS)}
    assert shown(ask(**first_half, model_name="a"), "traces", "spans") == [(1, 0)]
    assert shown(ask(**first_half, group_by="model_name"), "group", "traces", "spans") == [("a", 1, 0)]


def test_groups_are_by_time_then_by_count_of_spans(ingest: Ingest, ask: Ask) -> None:
    trace, root = os.urandom(16), os.urandom(8)
    ingest(
        request(
            span("root", trace_id=trace, span_id=root, start_ns=HOUR),
            *(
                span("child", trace_id=trace, parent_span_id=root, start_ns=HOUR, attributes=tokens("m", 900))
                for _ in range(2)
            ),
            span("alone", start_ns=HOUR + 1800 * SECOND_NS, status=ERROR),
        )
    )
    columns = ("timestamp", "group", "traces", "spans", "errors", "tokens_output", "tokens_per_second")
    first, second = format_time(HOUR), format_time(HOUR + 1800 * SECOND_NS)
    assert shown(ask(group_by="name"), *columns) == [
        (first, "child", 1, 2, 0, 1800, 1.0),
        (first, "alone", 0, 0, 0, 0, 0),
        (first, "root", 1, 1, 0, 0, 0),
        (second, "child", 0, 0, 0, 0, 0),
        (second, "alone", 1, 1, 1, 0, 0),
        (second, "root", 0, 0, 0, 0, 0),
    ]


def test_a_span_on_two_gpus_is_in_both_groups(ingest: Ingest, ask: Ask) -> None:
    both = {**gpu(0, resource_uuid="MIG-1", node_id="n"), **gpu(1, resource_uuid="MIG-2", node_id="n")}
    for _ in range(2):
        ingest(request(span(start_ns=HOUR, attributes=both)))
    assert shown(ask(group_by="resource_uuid", bucket=3600), "group", "traces", "spans") == [
        ("MIG-1", 2, 2),
        ("MIG-2", 2, 2),
    ]
    assert shown(ask(group_by="node_id", bucket=3600), "group", "traces", "spans") == [("n", 2, 2)]
    assert ask(group_by="environment") == []


def test_the_groups_with_the_most_spans_are_shown(ingest: Ingest, ask: Ask) -> None:
    names = [f"name-{number:02}" for number in range(MOST_GROUPS + 1)]
    ingest(request(*(span(name, start_ns=HOUR) for name in names), span(names[-1], start_ns=HOUR)))
    groups = [point["group"] for point in ask(group_by="name", bucket=3600)]
    assert groups == [names[-1], *names[: MOST_GROUPS - 1]]


def test_as_many_points_as_may_come_do(ingest: Ingest, ask: Ask, get: Get) -> None:
    ingest(request(span("a", start_ns=HOUR), span("b", start_ns=HOUR)))
    end = format_time(HOUR + MAX_POINTS // 2 * SECOND_NS)
    assert len(ask(end=end, bucket=1, group_by="name")) == MAX_POINTS
    over = {"start": format_time(HOUR - 1), "end": end, "bucket": 1, "group_by": "name"}
    assert wrong(get("/analytics/throughput", over, status=400)) == {"bucket"}
    assert len(get("/analytics/throughput", {**over, "model_name": "none"})["series"]) == 0


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"of": "trace"}, {"of"}),
        ({"group_by": "status"}, {"group_by"}),
        ({"bucket": -1}, {"bucket"}),
        ({"bucket": 1, "start": "2026-02-07T00:00:00Z", "end": "2026-02-08T00:00:00Z"}, {"bucket"}),
        ({"start": RANGE["end"], "end": RANGE["start"]}, {"end"}),
        ({"cursor": "x"}, {"cursor"}),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_a_400_that_names_it(get: Get, parameters: dict[str, object], named: set[str]) -> None:
    assert wrong(get("/analytics/throughput", parameters, status=400)) == named


def test_it_takes_one_query(clickhouse: object, ask: Ask, queries: list[str]) -> None:
    del clickhouse
    ask(service_name="a", node_id="b")
    ask(service_name="a", node_id="b", group_by="node_id")
    assert len(queries) == 2
