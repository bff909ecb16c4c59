"""What spans cost that did not say so: their parts of the GPUs' time, at the registry's price of the moment."""

import os
import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from clickhouse_connect.driver import Client
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from analytics.times import format_time
from registry.mirror import mirror_registry
from registry.models import ComputeResource, PhysicalGPU
from tests.analytics.conftest import Get
from tests.conftest import Ingest
from tests.otlp import SECOND_NS, gpu, request, span

pytestmark = pytest.mark.django_db

HOUR_NS = 3600 * SECOND_NS
# a whole hour, some hours ago
HOUR = (time.time_ns() // HOUR_NS - 5) * HOUR_NS
RANGE = {"start": format_time(HOUR), "end": format_time(HOUR + HOUR_NS)}
A_DOLLAR_A_SECOND = Decimal(3600)
CARD = "GPU-5f2c1a9e"

ShareOut = Callable[[], None]
Held = Callable[..., str]


@pytest.fixture
def held(ingest: Ingest) -> Held:
    """Send a trace of one span that held a card, by seconds after the hour; returns the trace's id."""

    def send(start_s: float, end_s: float, uuid: str = CARD, /, *, service: str = "s", **attributes: object) -> str:
        trace_id = os.urandom(16)
        start_ns, end_ns = (HOUR + round(seconds * SECOND_NS) for seconds in (start_s, end_s))
        named = {name.replace("_", "."): value for name, value in attributes.items()}
        ingest(
            request(
                span(
                    trace_id=trace_id,
                    start_ns=start_ns,
                    duration_ns=end_ns - start_ns,
                    attributes=gpu(resource_uuid=uuid, physical_uuid=uuid) | named,
                ),
                resource={"service.name": service},
            )
        )
        return trace_id.hex()

    return send


def price(cost_per_hour_usd: Decimal | None, *uuids: str) -> None:
    """Set a card's price, as ops do."""
    for uuid in uuids or (CARD,):
        PhysicalGPU.objects.update_or_create(tenant_id=1, uuid=uuid, defaults={"cost_per_hour_usd": cost_per_hour_usd})
        card = PhysicalGPU.objects.get(uuid=uuid)
        ComputeResource.objects.update_or_create(
            tenant_id=1, uuid=uuid, defaults={"set_physical": card, "set_resource_type": "full_gpu"}
        )
    mirror_registry()


def costs(get: Get, **parameters: object) -> dict[str, float | None]:
    return {trace["trace_id"]: trace["cost_usd"] for trace in get("/traces", parameters)["traces"]}


def test_a_trace_costs_the_time_that_it_held_a_gpu_shared_with_those_that_held_it_too(
    held: Held, get: Get, share_out: ShareOut
) -> None:
    alone, one, other = held(0, 10), held(20, 30), held(20, 30)
    price(A_DOLLAR_A_SECOND)
    share_out()
    assert costs(get) == pytest.approx({alone: 10, one: 5, other: 5})
    assert get(f"/traces/{one}")["cost_usd"] == pytest.approx(5)
    assert get("/analytics/overview", RANGE)["cost_usd"] == pytest.approx(20)


def test_a_price_that_is_corrected_is_true_at_once_and_for_all_that_was(
    held: Held, get: Get, share_out: ShareOut
) -> None:
    trace_id = held(0, 10)
    share_out()
    assert costs(get) == {trace_id: None}
    for cost_per_hour_usd, cost in ((A_DOLLAR_A_SECOND, 10), (A_DOLLAR_A_SECOND / 4, 2.5), (None, None)):
        price(cost_per_hour_usd)
        assert costs(get) == {trace_id: None if cost is None else pytest.approx(cost)}
        assert get("/analytics/models", RANGE)["models"] == []
        assert get("/analytics/services", RANGE)["services"][0]["cost_usd"] == (
            None if cost is None else pytest.approx(cost)
        )


def test_a_span_costs_what_it_says_and_still_shares_the_gpu(held: Held, get: Get, share_out: ShareOut) -> None:
    says, says_not = held(0, 10, cost_usd=0.5), held(0, 10)
    price(A_DOLLAR_A_SECOND)
    share_out()
    assert costs(get) == pytest.approx({says: 0.5, says_not: 5})
    [own] = get(f"/traces/{says}")["spans"]
    [shared] = get(f"/traces/{says_not}")["spans"]
    assert (own["cost_usd"], shared["cost_usd"]) == (0.5, pytest.approx(5))


def test_the_spans_of_a_trace_share_what_it_costs(ingest: Ingest, get: Get, share_out: ShareOut) -> None:
    trace_id, root = os.urandom(16), os.urandom(8)
    of_card = gpu(resource_uuid=CARD, physical_uuid=CARD)
    ingest(
        request(
            span(
                "root", trace_id=trace_id, span_id=root, start_ns=HOUR, duration_ns=10 * SECOND_NS,
                attributes=of_card,
            ),
            span(
                "child", trace_id=trace_id, parent_span_id=root, start_ns=HOUR, duration_ns=4 * SECOND_NS,
                attributes=of_card,
            ),
            span("bare", trace_id=trace_id, parent_span_id=root, start_ns=HOUR, duration_ns=SECOND_NS),
        )
    )  # fmt: skip
    price(A_DOLLAR_A_SECOND)
    share_out()
    answer = get(f"/traces/{trace_id.hex()}")
    [shown] = answer["spans"]
    assert answer["cost_usd"] == pytest.approx(10)
    assert shown["cost_usd"] == pytest.approx(8)
    assert {child["name"]: child.get("cost_usd") for child in shown["children"]} == {
        "child": pytest.approx(2),
        "bare": None,
    }


def test_traces_are_in_order_of_what_they_cost_page_by_page(held: Held, get: Get, share_out: ShareOut) -> None:
    wanted = [held(at * 20, at * 20 + seconds) for at, seconds in enumerate((9, 7, 5, 3, 1))]
    unknown = held(0, 10, "GPU-unpriced")
    price(A_DOLLAR_A_SECOND)
    share_out()
    seen: list[str] = []
    parameters: dict[str, object] = {"order_by": "-cost_usd", "limit": 2}
    while True:
        page = get("/traces", parameters)
        seen += [trace["trace_id"] for trace in page["traces"]]
        if page["next"] is None:
            break
        parameters["cursor"] = page["next"]
    assert seen == [*wanted, unknown]


def test_models_and_services_cost_what_their_spans_held_within_the_range(
    held: Held, get: Get, share_out: ShareOut
) -> None:
    held(0, 30, service="a", ai_model_name="large")
    held(30, 40, service="b", ai_model_name="large", cost_usd=2)
    held(40, 50, service="b", ai_model_name="small")
    price(A_DOLLAR_A_SECOND)
    share_out()

    def of(what: str, **parameters: object) -> dict[str, float]:
        rows = get(f"/analytics/{what}", {**RANGE, **parameters})[what]
        return {row[f"{what[:-1]}_name"]: row["cost_usd"] for row in rows}

    assert of("models") == pytest.approx({"large": 32, "small": 10})
    assert of("services") == pytest.approx({"a": 30, "b": 12})
    assert of("models", service_name="b") == pytest.approx({"large": 2, "small": 10})
    half = {"end": format_time(HOUR + 30 * SECOND_NS)}
    assert of("models", **half)["large"] == pytest.approx(15), "of a minute that the range cuts in two, half"


def test_a_gpu_costs_its_price_whether_it_is_used_or_not(held: Held, get: Get, share_out: ShareOut) -> None:
    held(0, 900)
    held(0, 900)
    price(Decimal(2))
    share_out()
    [usage] = get("/analytics/gpus", RANGE)["gpus"]
    assert (usage["cost_usd"], usage["idle_cost_usd"]) == pytest.approx((0.5, 1.5))


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spans=st.lists(
        st.tuples(
            st.sampled_from(("MIG-1", "MIG-2")),
            st.sampled_from(("a", "b", "c")),
            st.floats(0, 3600, allow_nan=False),
            st.floats(0, 600, allow_nan=False),
        ),
        min_size=1,
        max_size=10,
    ),
    cents=st.integers(1, 10_000),
)
def test_what_services_cost_and_what_is_idle_is_the_price_of_the_card(
    clickhouse: Client,
    held: Held,
    get: Get,
    share_out: ShareOut,
    spans: list[tuple[str, str, float, float]],
    cents: int,
) -> None:
    for table in ("spans", "traces", "trace_summaries", "gpu_metrics", "gpu_time", "gpu_time_changes", "gpu_sightings"):
        clickhouse.command(f"TRUNCATE TABLE {table}")
    mark = os.urandom(4).hex()
    card_price = Decimal(cents) / 100
    card = PhysicalGPU.objects.create(
        tenant_id=1, uuid=f"GPU-{mark}", set_memory_total_gb=80, cost_per_hour_usd=card_price
    )
    for name in ("MIG-1", "MIG-2"):
        ComputeResource.objects.create(
            tenant_id=1, uuid=f"{name}-{mark}", set_physical=card, set_resource_type="mig_3g.40gb"
        )
    mirror_registry()
    for name, service, start_s, seconds in spans:
        held(min(start_s, 3600 - 1e-3), min(start_s + seconds, 3600), f"{name}-{mark}", service=service)
    share_out()
    of_services = sum(row["cost_usd"] or 0 for row in get("/analytics/services", RANGE)["services"])
    usages = get("/analytics/gpus", RANGE)["gpus"]
    idle = sum(usage["idle_cost_usd"] for usage in usages)
    never_used = (2 - len(usages)) * float(card_price) / 2
    assert of_services + idle + never_used == pytest.approx(float(card_price), abs=0.005)
