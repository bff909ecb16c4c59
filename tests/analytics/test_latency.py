"""GET /analytics/latency: how long traces and spans took, summed up, by size, by time and by group."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analytics.queries.group_series import MOST_GROUPS
from analytics.series import MAX_POINTS
from analytics.times import format_time
from tests.analytics.conftest import Get, register, wrong
from tests.conftest import Ingest
from tests.otlp import MILLISECOND_NS, SECOND_NS, gpu, request, span

HOUR_NS = 3600 * SECOND_NS
# a whole hour, some hours ago
HOUR = (time.time_ns() // HOUR_NS - 5) * HOUR_NS
RANGE = {"start": format_time(HOUR), "end": format_time(HOUR + HOUR_NS)}
PERCENTILES = ("p50_ms", "p95_ms", "p99_ms")

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(get: Get) -> Ask:
    """Ask for the latency of the hour: `ask(of="span", group_by="name", …)`."""

    def send(**parameters: object) -> dict[str, Any]:
        return get("/analytics/latency", {**RANGE, **parameters})

    return send


def took(
    milliseconds: float, name: str = "span", attributes: Mapping[str, object] | None = None, *, after_ns: int = 0
) -> Span:
    """Return a span, of a trace of its own, that began so long after the hour and took so long."""
    return span(name, start_ns=HOUR + after_ns, duration_ns=round(milliseconds * MILLISECOND_NS), attributes=attributes)


def trace_of(*spans: Span) -> list[Span]:
    """Make the spans one trace whose root is the first."""
    trace_id = os.urandom(16)
    for each in spans:
        each.trace_id = trace_id
    for child in spans[1:]:
        child.parent_span_id = spans[0].span_id
    return list(spans)


def counts(answer: dict[str, Any]) -> dict[str, int]:
    """Return how many each group has, in the order of the groups."""
    found: dict[str, int] = {}
    for point in answer["series"]:
        found[point["group"]] = found.get(point["group"], 0) + point["count"]
    return found


def test_of_nothing_all_is_null_and_the_series_gap_free(clickhouse: object, ask: Ask) -> None:  # noqa: ARG001
    names = ("avg_ms", "min_ms", "max_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms")
    empty = {"count": 0, **dict.fromkeys(PERCENTILES)}
    assert ask() == {
        **RANGE,
        "bucket_seconds": 30,
        "summary": {"count": 0, **dict.fromkeys(names)},
        "histogram": [],
        "series": [{"timestamp": format_time(HOUR + at * 30 * SECOND_NS), **empty} for at in range(120)],
    }
    assert ask(group_by="name")["series"] == []


def test_it_is_of_whole_traces_or_of_what_spans_took_or_sent(ingest: Ingest, ask: Ask) -> None:
    root = took(100, attributes={"gen_ai.latency.time_in_queue": 0.004})
    child = took(100, attributes={"ai.llm.ttft_ms": 12.5}, after_ns=50 * MILLISECOND_NS)
    ingest(request(*trace_of(root, child), took(300, attributes={"ai.llm.ttft_ms": 20.5})))
    for of, values in (
        ("trace", [150.0, 300.0]),
        ("span", [100.0, 100.0, 300.0]),
        ("ttft", [12.5, 20.5]),
        ("queue", [4.0]),
    ):
        summary = ask(of=of)["summary"]
        found = tuple(summary[name] for name in ("count", "min_ms", "max_ms", "avg_ms"))
        assert found == (len(values), min(values), max(values), pytest.approx(sum(values) / len(values))), of
    assert ask() == ask(of="trace")


def test_percentiles_are_exact_in_the_summary_and_in_each_bucket(ingest: Ingest, ask: Ask) -> None:
    ingest(request(*(took(at) for at in range(101)), took(1000, after_ns=1800 * SECOND_NS)))
    answer = ask(bucket=1800)
    assert [answer["summary"][name] for name in ("p50_ms", "p90_ms", "p95_ms", "p99_ms")] == pytest.approx(
        [50.5, 90.9, 95.95, 99.99]
    )
    first, second = answer["series"]
    assert [first[name] for name in PERCENTILES] == [50.0, 95.0, 99.0]
    assert [second[name] for name in PERCENTILES] == [1000.0] * 3
    assert (first["count"], second["count"]) == (101, 1)


def test_a_trace_that_grew_counts_once_and_as_it_is_by_now(ingest: Ingest, ask: Ask) -> None:
    root, child = trace_of(took(100), took(100, after_ns=300 * MILLISECOND_NS))
    ingest(request(root))
    ingest(request(child))
    for grouped in ({}, {"group_by": "service_name"}):
        answer = ask(**grouped)
        assert (answer["summary"]["count"], answer["summary"]["max_ms"]) == (1, 400.0)
        assert sum(point["count"] for point in answer["series"]) == 1


@pytest.mark.parametrize("of", ["span", "ttft"])
@pytest.mark.parametrize(
    ("milliseconds", "bucket"),
    [
        (0, (0, 0.001)),
        (0.000999, (0, 0.001)),
        (0.001, (0.001, 0.00125)),
        (0.001249, (0.001, 0.00125)),
        (0.00125, (0.00125, 0.0016)),
        (1, (1, 1.25)),
        (1.6, (1.6, 2)),
        (3.149999, (2.5, 3.15)),
        (3.15, (3.15, 4)),
        (6.3, (6.3, 8)),
        (9.999999, (8, 10)),
        (10, (10, 12.5)),
        (1e7, (1e7, 1.25e7)),
    ],
)
def test_the_edges_of_the_histogram_are_preferred_numbers(
    ingest: Ingest, ask: Ask, of: str, milliseconds: float, bucket: tuple[float, float]
) -> None:
    ingest(request(took(milliseconds, attributes={"ai.llm.ttft_ms": float(milliseconds)})))
    (only,) = ask(of=of)["histogram"]
    assert (only["from_ms"], only["to_ms"], only["count"]) == (*bucket, 1)


def test_the_histogram_has_no_gaps(ingest: Ingest, ask: Ask) -> None:
    ingest(request(took(7), took(1), took(1.2), took(1.7)))
    histogram = ask()["histogram"]
    assert [bucket["from_ms"] for bucket in histogram] == [1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3]
    assert [bucket["to_ms"] for bucket in histogram] == [1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0]
    assert [bucket["count"] for bucket in histogram] == [2, 0, 1, 0, 0, 0, 0, 0, 1]


def test_whatever_a_span_sent_as_a_time_is_in_some_bucket(ingest: Ingest, ask: Ask) -> None:
    ingest(request(*(took(1, attributes={"ai.llm.ttft_ms": value}) for value in (-5.0, 1e13, 1e300))))
    histogram = ask(of="ttft")["histogram"]
    assert (histogram[0]["from_ms"], histogram[0]["count"]) == (0, 1)
    assert (histogram[-1]["from_ms"], histogram[-1]["count"]) == (1e13, 2)
    assert histogram[-1]["to_ms"] > 1e300


def test_what_began_at_the_start_counts_and_at_the_end_not(ingest: Ingest, ask: Ask) -> None:
    ingest(request(took(1), took(2, after_ns=-1), took(3, after_ns=HOUR_NS - 1), took(4, after_ns=HOUR_NS)))
    for of in ("trace", "span"):
        summary = ask(of=of)["summary"]
        assert (summary["count"], summary["min_ms"], summary["max_ms"]) == (2, 1.0, 3.0)


def test_buckets_are_aligned_to_utc_and_count_only_what_is_in_the_range(ingest: Ingest, ask: Ask) -> None:
    seconds = [0, 9, 10, 20, 25, 30]
    ingest(request(*(took(second + 1, after_ns=second * SECOND_NS) for second in seconds)))
    cut = {"start": format_time(HOUR + 10 * SECOND_NS), "end": format_time(HOUR + 30 * SECOND_NS)}
    for grouped in ({}, {"group_by": "service_name"}):
        answer = ask(**cut, **grouped, bucket=20)
        assert [(point["timestamp"], point["count"]) for point in answer["series"]] == [
            (format_time(HOUR), 1),
            (format_time(HOUR + 20 * SECOND_NS), 2),
        ]
        assert (answer["start"], answer["end"], answer["bucket_seconds"]) == (cut["start"], cut["end"], 20)


def test_without_a_range_it_is_the_last_24_hours(ingest: Ingest, get: Get) -> None:
    now = time.time_ns()
    ingest(request(span(), span(start_ns=now - 23 * HOUR_NS), span(start_ns=now - 25 * HOUR_NS)))
    answer = get("/analytics/latency")
    assert (answer["summary"]["count"], answer["bucket_seconds"]) == (2, 900)


GROUPINGS = {
    "service_name": {"engine": 2, "gateway": 1},
    "environment": {"prod": 1},
    "model_name": {"large": 1, "small": 1},
    "name": {"decode": 1, "prefill": 1, "root": 1},
    "resource_uuid": {"MIG-1": 2, "MIG-2": 1},
    "node_id": {"node-1": 2, "node-2": 1},
}


@pytest.fixture
def one_trace(ingest: Ingest) -> None:
    """Send a trace through two services, two models and two slices, one of which was on two nodes."""
    root, prefill, decode = trace_of(
        took(30, "root"),
        took(
            10,
            "prefill",
            {"gen_ai.request.model": "small", **gpu(0, resource_uuid="MIG-1", node_id="node-1")},
        ),
        took(
            20,
            "decode",
            {
                "gen_ai.request.model": "large",
                **gpu(0, resource_uuid="MIG-1", node_id="node-2"),
                **gpu(1, resource_uuid="MIG-2", node_id="node-1"),
            },
        ),
    )
    ingest(
        request(root, resource={"service.name": "gateway", "deployment.environment": "prod"}),
        request(prefill, decode, resource={"service.name": "engine"}),
    )


@pytest.mark.usefixtures("one_trace")
@pytest.mark.parametrize("group_by", GROUPINGS)
def test_a_span_is_in_each_of_its_groups_and_a_trace_in_those_of_its_spans(ask: Ask, group_by: str) -> None:
    expected = GROUPINGS[group_by]
    spans, traces = ask(of="span", group_by=group_by), ask(group_by=group_by)
    assert counts(spans) == expected
    assert list(counts(spans)) == list(expected), "the largest first, of equal ones by name"
    assert counts(traces) == dict.fromkeys(sorted(expected), 1)
    assert (spans["summary"]["count"], traces["summary"]["count"]) == (3, 1), "each counts once in the summary"
    assert {point["p50_ms"] for point in traces["series"]} == {30.0, None}
    assert traces["summary"] == ask()["summary"]
    assert spans["histogram"] == ask(of="span")["histogram"]


@pytest.mark.usefixtures("one_trace")
def test_a_trace_is_in_the_groups_of_its_matching_spans_only(ask: Ask) -> None:
    assert counts(ask(group_by="name", model_name="large")) == {"decode": 1}
    assert counts(ask(group_by="name", service_name="engine")) == {"decode": 1, "prefill": 1}
    assert counts(ask(group_by="model_name", service_name="gateway")) == {}
    assert ask(group_by="model_name", service_name="gateway")["summary"]["count"] == 1
    assert counts(ask(group_by="name", model_name="large", service_name="gateway")) == {}
    # it ran on both
    assert counts(ask(of="span", group_by="resource_uuid", resource_uuid="MIG-2")) == {"MIG-1": 1, "MIG-2": 1}


@pytest.mark.usefixtures("one_trace")
@pytest.mark.parametrize(
    ("parameters", "of_spans"),
    [
        ({}, 3),
        ({"service_name": "engine"}, 2),
        ({"environment": "prod"}, 1),
        ({"model_name": "small"}, 1),
        ({"resource_uuid": "MIG-1"}, 2),
        ({"node_id": "node-2", "resource_uuid": "MIG-2"}, 1),
        ({"node_id": "node-3"}, 0),
        ({"model_name": "small", "environment": "prod"}, 0),
    ],
    ids=str,
)
def test_filters_choose_spans_and_the_traces_that_have_one(ask: Ask, parameters: dict[str, str], of_spans: int) -> None:
    assert ask(of="span", **parameters)["summary"]["count"] == of_spans
    assert ask(**parameters)["summary"]["count"] == min(of_spans, 1)


def test_a_trace_that_differs_only_in_its_gpu_is_not_meant(ingest: Ingest, ask: Ask) -> None:
    ingest(request(*(took(10, attributes=gpu(0, resource_uuid=uuid)) for uuid in ("MIG-1", "MIG-2"))))
    for of in ("trace", "span"):
        assert counts(ask(of=of, group_by="name", resource_uuid="MIG-1")) == {"span": 1}


def test_where_a_span_says_no_node_the_registry_does(clickhouse: ClickHouse, ingest: Ingest, ask: Ask) -> None:
    register(clickhouse, resource_uuid="MIG-1", node_id="node-9")
    register(clickhouse, resource_uuid="MIG-2", node_id="node-9")
    both = {**gpu(0, resource_uuid="MIG-1"), **gpu(1, resource_uuid="MIG-2")}
    told = gpu(0, resource_uuid="MIG-1", node_id="node-1")
    ingest(request(took(10, attributes=both), took(10, attributes=told)))
    for of in ("trace", "span"):
        assert counts(ask(of=of, group_by="node_id")) == {"node-1": 1, "node-9": 1}
        assert counts(ask(of=of, group_by="node_id", node_id="node-9")) == {"node-9": 1}


def test_a_gpu_that_a_span_names_twice_is_one_group_with_the_span_in_it_once(ingest: Ingest, ask: Ask) -> None:
    ingest(request(took(10, attributes={**gpu(0, resource_uuid="MIG-1"), **gpu(1, resource_uuid="MIG-1")})))
    for of in ("trace", "span"):
        assert counts(ask(of=of, group_by="resource_uuid")) == {"MIG-1": 1}


def test_what_came_in_several_batches_is_not_multiplied_by_them(ingest: Ingest, ask: Ask) -> None:
    for milliseconds in (10, 20, 30):
        ingest(request(took(milliseconds, attributes=gpu(0, resource_uuid="MIG-1"))))
    for of in ("trace", "span"):
        for group_by in ("service_name", "resource_uuid", "node_id", "name"):
            assert sum(counts(ask(of=of, group_by=group_by)).values()) == (3 if group_by != "node_id" else 0)


def test_each_shown_group_is_gap_free_and_points_are_by_time_then_traffic(ingest: Ingest, ask: Ask) -> None:
    ingest(request(took(1, "b"), took(2, "a"), took(3, "c"), took(4, "c", after_ns=1800 * SECOND_NS)))
    points = ask(group_by="name", bucket=1200)["series"]
    assert [(point["timestamp"], point["group"], point["count"]) for point in points] == [
        (format_time(HOUR + at * 1200 * SECOND_NS), group, count)
        for at, counted in enumerate(((1, 1, 1), (1, 0, 0), (0, 0, 0)))
        for group, count in zip(("c", "a", "b"), counted, strict=True)
    ]
    assert [points[3][name] for name in PERCENTILES] == [4.0] * 3
    assert [points[4][name] for name in PERCENTILES] == [None] * 3


def test_the_fifty_largest_groups_are_shown(ingest: Ingest, ask: Ask) -> None:
    names = [f"name-{number:02}" for number in range(MOST_GROUPS + 2)]
    ingest(request(*(took(1, name) for name in names), took(1, names[-1])))
    for of in ("trace", "span"):
        answer = ask(of=of, group_by="name", bucket=3600)
        assert list(counts(answer)) == [names[-1], *names[: MOST_GROUPS - 1]]
        assert answer["summary"]["count"] == MOST_GROUPS + 3


def test_an_empty_range_is_no_error(clickhouse: object, ask: Ask) -> None:  # noqa: ARG001
    assert ask(end=RANGE["start"])["series"] == []


def test_as_many_points_as_may_come_do(ingest: Ingest, ask: Ask, get: Get) -> None:
    ingest(request(took(1, "a"), took(1, "b")))
    just = {"start": RANGE["start"], "bucket": 1, "end": format_time(HOUR + MAX_POINTS * SECOND_NS)}
    half = {**just, "end": format_time(HOUR + MAX_POINTS // 2 * SECOND_NS), "group_by": "name"}
    assert len(ask(**just)["series"]) == MAX_POINTS
    assert len(ask(**half)["series"]) == MAX_POINTS
    for most in (just, half):
        over = {**most, "start": format_time(HOUR - 1)}
        assert wrong(get("/analytics/latency", over, status=400)) == {"bucket"}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"of": "traces"}, {"of"}),
        ({"group_by": "pod"}, {"group_by"}),
        ({"bucket": 0}, {"bucket"}),
        ({"bucket": "1.5"}, {"bucket"}),
        ({"bucket": 10**9}, {"bucket"}),
        ({"bucket": 1, "start": "2026-02-07T00:00:00Z", "end": "2026-02-08T00:00:00Z"}, {"bucket"}),
        ({"start": RANGE["end"], "end": RANGE["start"]}, {"end"}),
        ({"start": format_time(time.time_ns() + 24 * HOUR_NS)}, {"start"}),
        ({"end": "soon", "of": "x"}, {"end", "of"}),
        ({"name": "a"}, {"name"}),
        ({"attr.a": "b"}, {"attr.a"}),
        ({"limit": 1}, {"limit"}),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_a_400_that_names_it(get: Get, parameters: dict[str, object], named: set[str]) -> None:
    assert wrong(get("/analytics/latency", parameters, status=400)) == named


@pytest.mark.parametrize("of", ["trace", "span", "ttft", "queue"])
def test_it_takes_one_query_and_one_more_for_groups(clickhouse: object, ask: Ask, queries: list[str], of: str) -> None:
    del clickhouse
    ask(of=of, service_name="a", node_id="b")
    assert len(queries) == 1
    ask(of=of, service_name="a", node_id="b", group_by="node_id")
    assert len(queries) == 3
