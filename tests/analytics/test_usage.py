"""GET /analytics/services and /analytics/models: what ran, one row each, busiest first."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analytics.times import format_time
from tests.analytics.conftest import Get, wrong
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, SECOND_NS, gpu, request, span

HOUR_NS = 3600 * SECOND_NS
# a whole hour, some hours ago
HOUR = (time.time_ns() // HOUR_NS - 5) * HOUR_NS
RANGE = {"start": format_time(HOUR), "end": format_time(HOUR + HOUR_NS)}
BOTH = pytest.mark.parametrize("what", ["services", "models"])


def took(
    milliseconds: int,
    model: str = "",
    attributes: Mapping[str, object] | None = None,
    *,
    status: int = 0,
    start_ns: int = HOUR,
) -> Span:
    named: dict[str, object] = {"gen_ai.request.model": model} if model else {}
    return span(
        start_ns=start_ns,
        duration_ns=milliseconds * MILLISECOND_NS,
        status=status,
        attributes={**named, **(attributes or {})},
    )


def names(answer: dict[str, Any], what: str) -> list[str]:
    return [row["service_name" if what == "services" else "model_name"] for row in answer[what]]


@BOTH
def test_of_nothing_the_list_is_empty(clickhouse: object, get: Get, what: str) -> None:
    del clickhouse
    assert get(f"/analytics/{what}", RANGE) == {what: [], "total": 0, "limit": 100, **RANGE}


def test_a_service_has_its_spans_durations_failures_and_models(ingest: Ingest, get: Get) -> None:
    ingest(
        request(
            *(took(at, "small" if at % 2 else "large") for at in range(1, 101)),
            took(101, status=ERROR),
            resource={"service.name": "engine"},
        ),
        request(took(5, status=ERROR), resource={"service.name": "gateway"}),
        request(took(5), took(7), resource={"service.name": "api"}),
    )
    ingest(request(took(0, "large"), resource={"service.name": "engine"}))
    answer = get("/analytics/services", RANGE)
    assert [row["service_name"] for row in answer["services"]] == ["engine", "api", "gateway"]
    engine, api, gateway = answer["services"]
    assert engine == {
        "service_name": "engine",
        "count": 102,
        "error_rate": pytest.approx(1 / 102),
        "avg_ms": pytest.approx(50.5),
        "p50_ms": 50.5,
        "p95_ms": pytest.approx(95.95),
        "p99_ms": pytest.approx(99.99),
        "models": ["large", "small"],
        "cost_usd": None,
    }
    assert (api["count"], api["p50_ms"], api["models"], api["error_rate"]) == (2, 6.0, [], 0)
    assert (gateway["count"], gateway["error_rate"]) == (1, 1)
    assert answer["total"] == 3


def test_a_model_has_its_tokens_speeds_and_costs_too(ingest: Ingest, get: Get) -> None:
    speeds = [10.0, 20.0, 60.0]
    ingest(
        request(
            *(
                took(
                    at * 100,
                    "large",
                    {
                        "gen_ai.usage.input_tokens": 100,
                        "gen_ai.usage.output_tokens": at,
                        "ai.llm.ttft_ms": float(at),
                        "ai.llm.tokens_per_second": speed,
                        "cost.usd": 0.25,
                    },
                )
                for at, speed in enumerate(speeds)
            ),
            took(5, "large", status=ERROR),
            took(9),
        ),
        request(took(1, "bare")),
    )
    answer = get("/analytics/models", RANGE)
    assert answer["total"] == 2
    large, bare = answer["models"]
    assert large == {
        "model_name": "large",
        "count": 4,
        "error_rate": 0.25,
        "avg_ms": pytest.approx(305 / 4),
        "p50_ms": pytest.approx(52.5),
        "p95_ms": pytest.approx(185.0),
        "p99_ms": pytest.approx(197.0),
        "tokens_input": 300,
        "tokens_output": 3,
        "avg_ttft_ms": 1.0,
        "p50_ttft_ms": 1.0,
        "p95_ttft_ms": pytest.approx(1.9),
        "p99_ttft_ms": pytest.approx(1.98),
        "tokens_per_second": 30.0,
        "cost_usd": 0.75,
    }
    unknown = ("avg_ttft_ms", "p50_ttft_ms", "p95_ttft_ms", "p99_ttft_ms", "tokens_per_second", "cost_usd")
    assert {name: bare[name] for name in unknown} == dict.fromkeys(unknown)
    assert (bare["tokens_input"], bare["tokens_output"]) == (0, 0)


@BOTH
def test_the_busiest_come_first_and_the_limit_cuts_the_others(ingest: Ingest, get: Get, what: str) -> None:
    for name, count in (("b", 2), ("c", 1), ("a", 2), ("d", 3)):
        ingest(request(*(took(1, name) for _ in range(count)), resource={"service.name": name}))
    assert names(get(f"/analytics/{what}", RANGE), what) == ["d", "a", "b", "c"]
    cut = get(f"/analytics/{what}", RANGE, limit=2)
    assert (names(cut, what), cut["total"], cut["limit"]) == (["d", "a"], 4, 2)


@BOTH
def test_filters_choose_spans(ingest: Ingest, get: Get, what: str) -> None:
    card = gpu(0, resource_uuid="MIG-1", physical_uuid="GPU-1", node_id="node-1")
    ingest(
        request(took(1, "m", card), took(1, "m"), resource={"service.name": "engine", "deployment.environment": "x"}),
        request(took(1, "n"), resource={"service.name": "other"}),
        request(took(1, "n", start_ns=HOUR - 1), took(1, "n", start_ns=HOUR + HOUR_NS)),
    )
    for parameters, counts in (
        ({}, [2, 1]),
        ({"service_name": "engine"}, [2]),
        ({"environment": "x", "model_name": "m"}, [2]),
        ({"resource_uuid": "MIG-1"}, [1]),
        ({"physical_uuid": "GPU-1", "node_id": "node-1"}, [1]),
        ({"model_name": "m", "service_name": "other"}, []),
    ):
        assert [row["count"] for row in get(f"/analytics/{what}", RANGE, **parameters)[what]] == counts, parameters


@BOTH
def test_without_a_range_it_is_the_last_24_hours(ingest: Ingest, get: Get, what: str) -> None:
    now = time.time_ns()
    ingest(request(*(took(1, "m", start_ns=now - hours * HOUR_NS) for hours in (1, 23, 25))))
    assert get(f"/analytics/{what}")[what][0]["count"] == 2


@pytest.mark.parametrize("what", ["services", "models", "gpus"])
@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"limit": 0}, {"limit"}),
        ({"limit": 1001}, {"limit"}),
        ({"offset": 1}, {"offset"}),
        ({"bucket": 60}, {"bucket"}),
        ({"group_by": "name"}, {"group_by"}),
        ({"start": RANGE["end"], "end": RANGE["start"]}, {"end"}),
        ({"start": "x"}, {"start"}),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_a_400_that_names_it(
    get: Get, what: str, parameters: dict[str, object], named: set[str]
) -> None:
    assert wrong(get(f"/analytics/{what}", parameters, status=400)) == named


@BOTH
def test_it_takes_one_query_for_the_spans_and_one_for_what_their_gpus_cost(
    ingest: Ingest, get: Get, queries: list[str], what: str
) -> None:
    ingest(request(took(1, "m")))
    queries.clear()
    assert get(f"/analytics/{what}", RANGE)["total"] == 1
    assert len(queries) == 2
    assert get(f"/analytics/{what}", RANGE, service_name="a", node_id="b")["total"] == 0
    assert len(queries) == 3
