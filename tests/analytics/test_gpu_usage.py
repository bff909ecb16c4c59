"""GET /analytics/gpus: how busy each GPU was, with what, what it measured and what that cost."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from analytics.times import format_time
from registry.models import ComputeResource, PhysicalGPU
from registry.sync import sync_registry
from tests.analytics.conftest import Get
from tests.conftest import Ingest
from tests.otlp import SECOND_NS, gpu, request, span

pytestmark = pytest.mark.django_db

HOUR_NS = 3600 * SECOND_NS
# a whole hour, some hours ago
HOUR = (time.time_ns() // HOUR_NS - 5) * HOUR_NS
RANGE = {"start": format_time(HOUR), "end": format_time(HOUR + HOUR_NS)}
CARD = "GPU-5f2c1a9e"
SLICE = "MIG-8b1f4c52"
UNKNOWN = dict.fromkeys(("utilization", "memory_used_gb", "temperature_celsius", "power_watts", "clock_mhz"), 0)
READINGS = (
    *("avg_utilization", "max_utilization", "avg_memory_used_gb", "max_memory_used_gb"),
    *("avg_power_watts", "max_power_watts", "energy_wh"),
)

Held = Callable[..., None]


@pytest.fixture
def held(ingest: Ingest) -> Held:
    """Send a span that held GPUs, by seconds after the hour: `held(0, 60, gpu(…), model="m")`."""

    def send(start_s: float, end_s: float, *gpus: dict[str, object], model: str = "") -> None:
        start_ns, end_ns = (HOUR + round(seconds * SECOND_NS) for seconds in (start_s, end_s))
        attributes: dict[str, object] = {"gen_ai.request.model": model} if model else {}
        for one in gpus:
            attributes.update(one)
        ingest(request(span(start_ns=start_ns, duration_ns=end_ns - start_ns, attributes=attributes)))

    return send


@pytest.fixture
def ask(get: Get) -> Callable[..., list[dict[str, Any]]]:
    def send(**parameters: object) -> list[dict[str, Any]]:
        gpus: list[dict[str, Any]] = get("/analytics/gpus", {**RANGE, **parameters})["gpus"]
        return gpus

    return send


Ask = Callable[..., list[dict[str, Any]]]


def full(number: int = 0, /, **fields: object) -> dict[str, object]:
    """Return the attribution of the whole card."""
    return gpu(number, resource_uuid=CARD, physical_uuid=CARD, resource_type="full_gpu", **fields)


def sliced(number: int = 0, /, **fields: object) -> dict[str, object]:
    return gpu(number, resource_uuid=SLICE, physical_uuid=CARD, **fields)


def test_of_nothing_the_list_is_empty(clickhouse: object, get: Get) -> None:
    del clickhouse
    assert get("/analytics/gpus", RANGE) == {"gpus": [], "total": 0, "limit": 100, **RANGE}


def test_a_gpu_tells_how_busy_it_was_with_what_and_what_that_cost(held: Held, get: Get) -> None:
    known: dict[str, object] = {"model": "H100", "node_id": "dgx-1", "memory_total_gb": 80.0}
    held(0, 900, full(utilization=50.0, memory_used_gb=30.0, power_watts=300.0, **known), model="small")
    held(600, 1800, full(utilization=100.0, memory_used_gb=50.0, power_watts=500.0, **known), model="large")
    sync_registry()
    PhysicalGPU.objects.update(cost_per_hour_usd="4.5")
    assert get("/analytics/gpus", RANGE) == {
        "gpus": [
            {
                "resource_uuid": CARD,
                "physical_uuid": CARD,
                "model": "H100",
                "node_id": "dgx-1",
                "busy_share": 0.5,
                "spans": 2,
                "avg_utilization": 75.0,
                "max_utilization": 100.0,
                "avg_memory_used_gb": 40.0,
                "max_memory_used_gb": 50.0,
                "memory_total_gb": 80.0,
                "avg_power_watts": 400.0,
                "max_power_watts": 500.0,
                "energy_wh": 200.0,
                "models": ["large", "small"],
                "cost_usd": 2.25,
                "idle_cost_usd": 2.25,
            }
        ],
        "total": 1,
        "limit": 100,
        **RANGE,
    }


def test_overlapping_spans_count_once_and_only_until_the_range_ends(held: Held, ask: Ask) -> None:
    held(0, 360, full())
    held(100, 200, full())
    held(1800, 1860, full())
    held(3000, 9000, full())
    # what began before the range is not of it, though it went on
    held(-100, 2000, full())
    (only,) = ask()
    assert (only["busy_share"], only["spans"]) == ((360 + 60 + 600) / 3600, 4)


def test_a_slice_costs_as_much_of_the_card_as_it_has_of_its_memory(held: Held, ask: Ask) -> None:
    held(0, 1800, full(0, memory_total_gb=80.0), sliced(1, memory_total_gb=20.0))
    sync_registry()
    PhysicalGPU.objects.update(cost_per_hour_usd="4.0")
    assert {row["resource_uuid"]: row["cost_usd"] for row in ask()} == {CARD: 2.0, SLICE: 0.5}

    ComputeResource.objects.filter(uuid=SLICE).update(set_memory_total_gb=40.0)
    rows = {row["resource_uuid"]: row for row in ask()}
    assert (rows[SLICE]["cost_usd"], rows[SLICE]["memory_total_gb"]) == (1.0, 40.0), "the registry's word counts"


def test_what_it_cost_is_null_where_price_or_sizes_are_not_known(held: Held, ask: Ask) -> None:
    held(0, 1800, full(), sliced(1, memory_total_gb=20.0))
    sync_registry()
    assert [row["cost_usd"] for row in ask()] == [None, None]
    PhysicalGPU.objects.update(cost_per_hour_usd="4.0")
    assert {row["resource_uuid"]: row["cost_usd"] for row in ask()} == {CARD: 2.0, SLICE: None}
    PhysicalGPU.objects.update(cost_per_hour_usd="0", set_memory_total_gb=80.0)
    assert {row["resource_uuid"]: row["cost_usd"] for row in ask()} == {CARD: 0.0, SLICE: 0.0}


def test_before_the_registry_knows_it_texts_are_empty(held: Held, ask: Ask) -> None:
    held(0, 1800, sliced(memory_total_gb=20.0, model="H100", node_id="n"))
    (only,) = ask()
    assert [only[name] for name in ("physical_uuid", "model", "node_id", "cost_usd")] == ["", "", "", None]
    assert (only["memory_total_gb"], only["busy_share"]) == (20.0, 0.5)


def test_zeros_and_what_is_no_number_are_no_readings(held: Held, ask: Ask) -> None:
    held(0, 1800, sliced(**UNKNOWN, memory_total_gb=9.75))
    (only,) = ask()
    assert {name: only[name] for name in READINGS} == dict.fromkeys(READINGS)
    assert (only["memory_total_gb"], only["busy_share"], only["spans"]) == (9.75, 0.5, 1)

    held(0, 1800, sliced(utilization=float("nan"), power_watts=float("inf"), memory_used_gb=4.0))
    held(0, 1800, sliced(utilization=0, memory_used_gb=0, temperature_celsius=40, power_watts=100, clock_mhz=0))
    (only,) = ask()
    expected = dict(zip(READINGS, (0.0, 0.0, 2.0, 4.0, 100.0, 100.0, 50.0), strict=True))
    assert {name: only[name] for name in READINGS} == expected


def test_a_span_that_names_a_gpu_twice_is_one_span(held: Held, ask: Ask) -> None:
    held(0, 360, full(0, utilization=10.0), full(1, utilization=30.0))
    (only,) = ask()
    assert (only["spans"], only["busy_share"], only["avg_utilization"]) == (1, 0.1, 20.0)


def test_the_busiest_come_first_and_the_limit_cuts_the_others(held: Held, get: Get) -> None:
    for uuid, count in (("MIG-b", 1), ("MIG-c", 2), ("MIG-a", 1)):
        for _ in range(count):
            held(0, 1, gpu(0, resource_uuid=uuid))
    held(0, 1)
    assert [row["resource_uuid"] for row in get("/analytics/gpus", RANGE)["gpus"]] == ["MIG-c", "MIG-a", "MIG-b"]
    cut = get("/analytics/gpus", RANGE, limit=1)
    assert ([row["resource_uuid"] for row in cut["gpus"]], cut["total"]) == (["MIG-c"], 3)


def test_filters_choose_spans_and_each_gpu_of_them_is_listed(held: Held, ask: Ask) -> None:
    held(0, 360, gpu(0, resource_uuid="MIG-1", node_id="n1"), gpu(1, resource_uuid="MIG-2", node_id="n2"), model="m")
    held(360, 720, gpu(0, resource_uuid="MIG-1", node_id="n1"), model="n")
    for parameters, expected in (
        ({}, {"MIG-1": 0.2, "MIG-2": 0.1}),
        ({"model_name": "n"}, {"MIG-1": 0.1}),
        ({"node_id": "n2"}, {"MIG-1": 0.1, "MIG-2": 0.1}),
        ({"resource_uuid": "MIG-2", "model_name": "n"}, {}),
    ):
        assert {row["resource_uuid"]: row["busy_share"] for row in ask(**parameters)} == expected, parameters


def test_a_uuid_that_postgresql_has_no_text_for_is_listed_all_the_same(held: Held, ask: Ask) -> None:
    held(0, 1, gpu(0, resource_uuid="MIG-\0"))
    assert [row["resource_uuid"] for row in ask()] == ["MIG-\0"]


def test_it_takes_one_query_and_one_statement(
    held: Held, get: Get, queries: list[str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    held(0, 1, full(0), sliced(1))
    queries.clear()
    with django_assert_num_queries(1):
        assert get("/analytics/gpus", RANGE, physical_uuid=CARD, service_name="tests")["total"] == 2
    assert len(queries) == 1
