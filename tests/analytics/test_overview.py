"""GET /analytics/overview."""

import os
import time
from typing import Any

import pytest

from analytics.buckets import usual_width_seconds
from analytics.queries.overview import MAX_BUCKETS
from analytics.times import format_time, parse_time
from tests.analytics.conftest import Get, wrong
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, OK, SECOND_NS, gpu, request, span

HOUR_NS = 3600 * SECOND_NS
# a whole hour, some hours ago
HOUR = (time.time_ns() // HOUR_NS - 5) * HOUR_NS
RANGE = {"start": format_time(HOUR), "end": format_time(HOUR + HOUR_NS)}


def numbers(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if not key.endswith("_series")}


NOTHING = {
    "total_traces": 0,
    "avg_latency_ms": 0,
    "error_rate": 0,
    "active_gpu_count": 0,
    "total_spans": 0,
    "tokens_input": 0,
    "tokens_output": 0,
    "cost_usd": 0,
}


def test_with_no_trace_the_numbers_are_zero_and_the_series_gap_free(clickhouse: object, get: Get) -> None:  # noqa: ARG001
    answer = get("/analytics/overview", RANGE)
    assert numbers(answer) == {**NOTHING, "bucket_seconds": 30}
    times = [format_time(HOUR + at * 30 * SECOND_NS) for at in range(120)]
    assert answer["throughput_series"] == [{"timestamp": at, "count": 0} for at in times]
    empty = {"p50_ms": None, "p95_ms": None, "p99_ms": None}
    assert answer["latency_series"] == [{"timestamp": at, **empty} for at in times]


def test_numbers_and_series_describe_whole_traces(ingest: Ingest, get: Get) -> None:
    pair, root = os.urandom(16), os.urandom(8)
    tokens = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7, "cost.usd": 0.5}
    ingest(
        request(
            span(
                trace_id=pair, span_id=root, start_ns=HOUR + 29 * SECOND_NS, duration_ns=10 * MILLISECOND_NS, status=OK
            ),
            # ends 300 ms after its trace began, in the next bucket; its trace counts once, where it began
            span(
                trace_id=pair,
                parent_span_id=root,
                start_ns=HOUR + 29 * SECOND_NS + 200 * MILLISECOND_NS,
                duration_ns=100 * MILLISECOND_NS,
                status=ERROR,
                attributes={**tokens, **gpu(0, resource_uuid="MIG-1"), **gpu(1, resource_uuid="MIG-2")},
            ),
            span(
                start_ns=HOUR, duration_ns=100 * MILLISECOND_NS, attributes={**tokens, **gpu(0, resource_uuid="MIG-1")}
            ),
            span(start_ns=HOUR + HOUR_NS - 1, duration_ns=200 * MILLISECOND_NS),
            span("before", start_ns=HOUR - 1),
            span("after", start_ns=HOUR + HOUR_NS),
        )
    )
    answer = get("/analytics/overview", RANGE)
    assert numbers(answer) == {
        "total_traces": 3,
        "avg_latency_ms": 200.0,
        "error_rate": pytest.approx(1 / 3),
        "active_gpu_count": 2,
        "total_spans": 4,
        "tokens_input": 200,
        "tokens_output": 14,
        "cost_usd": 1.0,
        "bucket_seconds": 30,
    }
    counts = [point["count"] for point in answer["throughput_series"]]
    assert counts == [2, *[0] * 118, 1]
    latencies = answer["latency_series"]
    assert latencies[0] == {
        "timestamp": RANGE["start"],
        "p50_ms": 200.0,
        "p95_ms": pytest.approx(290.0),
        "p99_ms": pytest.approx(298.0),
    }
    assert [latencies[-1][key] for key in ("p50_ms", "p95_ms", "p99_ms")] == [200.0] * 3
    assert latencies[1]["p50_ms"] is None


def test_percentiles_are_exact(ingest: Ingest, get: Get) -> None:
    ingest(request(*(span(start_ns=HOUR, duration_ns=at * MILLISECOND_NS) for at in range(101))))
    first = get("/analytics/overview", RANGE)["latency_series"][0]
    assert [first[key] for key in ("p50_ms", "p95_ms", "p99_ms")] == [50.0, 95.0, 99.0]


def test_without_a_range_it_is_the_last_24_hours(ingest: Ingest, get: Get) -> None:
    now = time.time_ns()
    ingest(request(span(), span(start_ns=now - 23 * HOUR_NS), span(start_ns=now - 25 * HOUR_NS)))
    answer = get("/analytics/overview")
    assert answer["total_traces"] == 2
    assert answer["bucket_seconds"] == 900
    assert sum(point["count"] for point in answer["throughput_series"]) == 2
    assert 96 <= len(answer["throughput_series"]) <= 97


def test_an_end_alone_means_the_24_hours_before_it_and_a_start_alone_until_now(ingest: Ingest, get: Get) -> None:
    now = time.time_ns()
    ingest(request(span(), span(start_ns=now - 3 * HOUR_NS), span(start_ns=now - 25 * HOUR_NS)))
    assert get("/analytics/overview", end=format_time(now - 2 * HOUR_NS))["total_traces"] == 2
    assert get("/analytics/overview", end=format_time(now - 4 * HOUR_NS))["total_traces"] == 1
    assert get("/analytics/overview", start=format_time(now - 26 * HOUR_NS))["total_traces"] == 3


def test_buckets_are_aligned_to_utc_whatever_the_ranges_offset(clickhouse: object, get: Get) -> None:  # noqa: ARG001
    answer = get("/analytics/overview", start="2026-02-07T10:07:30+05:45", end="2026-02-07T11:07:30.5+05:45")
    times = [point["timestamp"] for point in answer["throughput_series"]]
    assert times[0] == "2026-02-07T04:22:00.000000000Z"
    assert times[-1] == "2026-02-07T05:22:00.000000000Z"
    assert {parse_time(one) // SECOND_NS % answer["bucket_seconds"] for one in times} == {0}


def test_filters_choose_traces_by_one_span(ingest: Ingest, get: Get, subtests: pytest.Subtests) -> None:
    trace, root = os.urandom(16), os.urandom(8)
    ingest(
        request(
            span(trace_id=trace, span_id=root, start_ns=HOUR),
            resource={"service.name": "gateway", "deployment.environment": "prod"},
        ),
        request(
            span(
                trace_id=trace,
                parent_span_id=root,
                start_ns=HOUR + 1,
                attributes={
                    "gen_ai.request.model": "large",
                    **gpu(0, resource_uuid="MIG-1", physical_uuid="GPU-1", node_id="node-1"),
                },
            ),
            resource={"service.name": "engine"},
        ),
        request(span(start_ns=HOUR), resource={"service.name": "other"}),
    )
    for parameters, spans in (
        ({}, 3),
        ({"service_name": "gateway"}, 2),
        ({"environment": "prod"}, 2),
        ({"model_name": "large", "service_name": "engine"}, 2),
        ({"resource_uuid": "MIG-1", "physical_uuid": "GPU-1", "node_id": "node-1"}, 2),
        ({"model_name": "large", "service_name": "gateway"}, 0),
        ({"node_id": "node-2"}, 0),
    ):
        with subtests.test(parameters=parameters):
            assert get("/analytics/overview", {**RANGE, **parameters})["total_spans"] == spans


def test_a_tenant_sees_its_own_numbers_only(ingest: Ingest, get: Get) -> None:
    ingest(request(span(start_ns=HOUR)), tenant="other")
    assert get("/analytics/overview", RANGE)["total_traces"] == 0


def test_a_wrong_parameter_is_a_400_that_names_it(get: Get, subtests: pytest.Subtests) -> None:
    tomorrow = format_time(time.time_ns() + 24 * HOUR_NS)
    for parameters, named in (
        ({"start": RANGE["end"], "end": RANGE["start"]}, "end"),
        ({"start": tomorrow}, "start"),
        ({"end": "soon"}, "end"),
        ({"bucket": "60"}, "bucket"),
        ({"limit": "60"}, "limit"),
        ({"name": "a"}, "name"),
        ({"attr.a": "b"}, "attr.a"),
    ):
        with subtests.test(parameters=parameters):
            assert wrong(get("/analytics/overview", parameters, status=400)) == {named}


def test_it_takes_one_query(clickhouse: object, get: Get, queries: list[str]) -> None:  # noqa: ARG001  emptied
    get("/analytics/overview", {"service_name": "a", "node_id": "b"})
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("seconds", "width"),
    [(0, 1), (1, 1), (120, 1), (121, 5), (3600, 30), (86_400, 900), (7 * 86_400, 7200), (30 * 86_400, 21_600)],
)
def test_a_bucket_is_a_usual_width_of_which_the_range_has_few(seconds: int, width: int) -> None:
    assert usual_width_seconds(HOUR, HOUR + seconds * SECOND_NS, most=MAX_BUCKETS) == width


@pytest.mark.parametrize("years", [1, 10, 362])
def test_however_long_the_range_the_buckets_stay_few_and_whole_days(years: int) -> None:
    seconds = years * 365 * 86_400
    width = usual_width_seconds(0, seconds * SECOND_NS, most=MAX_BUCKETS)
    assert width % 86_400 == 0
    assert seconds / width <= 120
