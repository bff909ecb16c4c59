"""The page of the fleet: what there is, node by node, how it is used, held and paid, and what of it is idle."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from analytics.pages.formats import NOTHING
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext, Tenant
from tests.analytics.pages.conftest import Part
from tests.analytics.pages.hardware import CARD, FULL, H100, ONE, SLICE, TWO, WHOLE, Held
from tests.analytics.pages.tables import links_of, rows_of, text_of
from tests.otlp import SECOND_NS
from tests.registry.conftest import clickhouse_away  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db

READ = {"utilization": 40.0, "memory_used_gb": 30.0, "power_watts": 250, "temperature_celsius": 61, "clock_mhz": 1755}
HEAD = ["GPU", "State", "Utilisation", "Memory", "Power", "Temp.", "Held by", "Busy", "Cost", "Per hour", "Last seen"]


@pytest.fixture
def fleet(held: Held) -> int:
    """Send a span of two slices of a card a minute ago, and one of a whole card two hours ago; return the minute."""
    now_ns = time.time_ns()
    begin_ns = now_ns - 60 * SECOND_NS
    held(now_ns - 7200 * SECOND_NS, 60, FULL | READ | {"utilization": 95.0}, pod="embed-0")
    one = SLICE | READ | {"resource_uuid": ONE}
    two = SLICE | READ | {"resource_uuid": TWO, "utilization": 80.0, "memory_used_gb": 10.0, "power_watts": 150}
    held(begin_ns, 30, one, two, model="llama-3-70b", pod="vllm-0")
    PhysicalGPU.objects.filter(uuid=CARD).update(cost_per_hour_usd="4.0", set_memory_total_gb=80)
    return begin_ns


def names(page: str) -> list[str]:
    """Return the node, the card or the UUID of each row of the fleet."""
    return [row[0] for row in rows_of(page)[1:]]


def tiles(page: str) -> dict[str, str]:
    """Return the text of each tile by its name."""
    texts = {}
    for text in links_of(page):
        for name in ("Nodes", "Cards", "Slices", "Idle", "Mean utilisation", "Memory used", "Power", "Cost per hour"):
            if text.startswith(f"{name} "):
                texts[name] = text.removeprefix(f"{name} ")
    return texts


@pytest.mark.usefixtures("fleet")
def test_the_fleet_is_shown_by_node_card_and_slice_with_what_each_measures(
    part: Part, share_out: Callable[[], None]
) -> None:
    share_out()
    head, *rows = rows_of(part("/fleet/list"))

    assert head == HEAD
    assert rows == [
        ["dgx-1 2 GPUs Correct the node dgx-1"],
        [f"{H100} {CARD}", "in use", "60%", "40 / 80 GiB", "400 W", "61 °C", "", "", "", "$4.00", "just now"],
        *(
            [
                f"mig_3g.40gb {uuid}",
                *("in use", percent, memory, power, "61 °C", "cuda:0 vllm-0", "0.8%", "$0.0167", "$2.00", "just now"),
            ]
            for uuid, percent, memory, power in (
                (ONE, "40%", "30 / 40 GiB", "250 W"),
                (TWO, "80%", "10 / 40 GiB", "150 W"),
            )
        ),
        ["edge-1 1 GPU, 1 idle Correct the node edge-1"],
        [
            f"NVIDIA L4 full_gpu {WHOLE}",
            *("idle", "95%", "30 / 24 GiB", "250 W", "61 °C", "", "0%", NOTHING, NOTHING, "1 hour ago"),
        ],
    ]


@pytest.mark.usefixtures("fleet")
def test_each_row_leads_to_its_page_and_carries_the_range(part: Part) -> None:
    links = links_of(part("/fleet/list", range="24h"))

    assert links["mig_3g.40gb"] == f"/gpus/{ONE}?range=24h"
    assert links[H100] == f"/physical-gpus/{CARD}?range=24h"
    assert links["dgx-1"] == "/gpus?range=24h&node_id=dgx-1"
    assert links["Correct the node dgx-1"] == f"/admin/registry/node/{Node.objects.get(name='dgx-1').pk}/change/"


@pytest.mark.usefixtures("fleet")
def test_the_tiles_sum_up_what_is_in_service_and_what_of_it_was_read_of_late(part: Part) -> None:
    page = part("/fleet/numbers")

    assert tiles(page) == {
        "Nodes": "2 with GPUs in service",
        "Cards": "2 whole or sliced",
        "Slices": "2 of 3 GPUs to run on",
        "Idle": "1 no span for 5 min",
        "Mean utilisation": "60% of 2 read in 5 min",
        "Memory used": "40 GiB of 80 GiB of these",
        "Power": "400 W drawn by these",
        "Cost per hour": "$4.00 1 without a price: set it",
    }


@pytest.mark.usefixtures("fleet")
def test_the_tiles_are_of_what_the_filters_choose_but_not_of_its_state(part: Part) -> None:
    assert tiles(part("/fleet/numbers", node_id="edge-1", idle="false"))["Idle"] == "1 no span for 5 min"
    assert tiles(part("/fleet/numbers", node_id="dgx-1"))["Cards"] == "1 whole or sliced"


@pytest.mark.usefixtures("fleet")
def test_tiles_lead_to_the_filtered_list(part: Part) -> None:
    links = {
        text.split(" ")[0]: address for text, address in links_of(part("/fleet/numbers", node_id="edge-1")).items()
    }

    assert links["Idle"] == "/gpus?node_id=edge-1&idle=true"
    assert links["Mean"] == "/gpus?node_id=edge-1&idle=false"
    assert links["Cost"] == "/admin/registry/physicalgpu/?cost_per_hour_usd__isempty=1"


def test_a_price_of_a_resources_own_counts_where_its_card_has_none(fleet: int, part: Part) -> None:
    del fleet
    ComputeResource.objects.filter(uuid=WHOLE).update(set_cost_per_hour_usd="0.5")

    assert tiles(part("/fleet/numbers"))["Cost per hour"] == "$4.50 of whole cards"


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"node_id": "edge-1"}, [WHOLE]),
        ({"model": H100}, [CARD, ONE, TWO]),
        ({"vendor": "AMD"}, []),
        ({"resource_type": "full_gpu"}, [WHOLE]),
        ({"label": "cuda:0"}, [CARD, ONE, TWO]),
        ({"q": "vllm-0"}, [CARD, ONE, TWO]),
        ({"q": TWO[4:]}, [CARD, TWO]),
        ({"physical_uuid": WHOLE}, [WHOLE]),
        ({"idle": "true"}, [WHOLE]),
        ({"idle": "false"}, [CARD, ONE, TWO]),
        ({"retired": "true"}, []),
        ({"conflicts": "true"}, []),
        ({"conflicts": "false"}, [CARD, ONE, TWO, WHOLE]),
        ({"labels.team": "search"}, [CARD, ONE]),
    ],
    ids=str,
)
def test_the_filters_are_the_apis_and_whether_it_is_idle(part: Part, query: dict[str, str], found: list[str]) -> None:
    ComputeResource.objects.filter(uuid=ONE).update(labels={"team": "search"})
    listed = [
        name.rpartition(" ")[2] for name in names(part("/fleet/list", **query)) if "GPU-" in name or "MIG-" in name
    ]

    assert listed == found


@pytest.mark.parametrize("parameter", ["nodes", "idle", "retired", "offset", "order_by"])
def test_what_the_fleet_can_not_be_asked_is_told(client: Client, parameter: str) -> None:
    answer = client.get("/gpus", {parameter: "often"})

    assert answer.status_code == 400
    assert f"<code>{parameter}</code>" in answer.content.decode()


def test_what_is_retired_is_hidden_until_asked_for(fleet: int, part: Part) -> None:
    del fleet
    ComputeResource.objects.filter(uuid=TWO).update(retired_at=timezone.now(), retired_by="operator")

    assert TWO not in part("/fleet/list")
    assert tiles(part("/fleet/numbers"))["Slices"] == "1 of 2 GPUs to run on"
    (row,) = [row for row in rows_of(part("/fleet/list", retired="any")) if row[0].endswith(TWO)]
    assert row[1] == "retired"
    assert names(part("/fleet/list", retired="true"))[1:] == [f"{H100} {CARD}", f"mig_3g.40gb {TWO}"]


def test_a_conflict_of_a_slice_or_its_card_is_marked_and_leads_to_where_it_is_settled(fleet: int, part: Part) -> None:
    del fleet
    ComputeResource.objects.filter(uuid=ONE).update(set_memory_total_gb=39.5)
    PhysicalGPU.objects.filter(uuid=CARD).update(set_model="NVIDIA H200")
    page = part("/fleet/list", conflicts="true")

    links = links_of(page)
    card, one = PhysicalGPU.objects.get(uuid=CARD), ComputeResource.objects.get(uuid=ONE)
    assert links["conflict: model"] == f"/admin/registry/physicalgpu/{card.pk}/change/"
    assert links["conflict: memory_total_gb"] == f"/admin/registry/computeresource/{one.pk}/change/"
    assert WHOLE not in page


def test_what_was_not_seen_for_a_day_is_stale(fleet: int, part: Part) -> None:
    del fleet
    ComputeResource.objects.filter(uuid=WHOLE).update(
        first_seen=F("first_seen") - timedelta(days=4), last_seen=timezone.now() - timedelta(days=3, minutes=1)
    )

    assert rows_of(part("/fleet/list"))[-1][-1] == "3 days ago stale"


def test_a_slice_without_card_a_card_without_node_and_a_card_that_no_span_named_have_their_place(
    held: Held, part: Part
) -> None:
    now_ns = time.time_ns()
    held(now_ns - SECOND_NS, 1, {"resource_uuid": "MIG-lost"})
    held(now_ns - SECOND_NS, 1, {"resource_uuid": "MIG-near", "node_id": "dgx-1"})
    tenant = Tenant.objects.get(slug="default")
    PhysicalGPU.objects.create(tenant=tenant, uuid="GPU-new", set_model="NVIDIA B200", cost_per_hour_usd="6")
    PhysicalGPU.objects.create(tenant=tenant, uuid="GPU-next", set_node=Node.objects.get(name="dgx-1"))
    page = part("/fleet/list")

    assert names(page) == [
        "dgx-1 1 GPU Correct the node dgx-1",
        "card GPU-next",
        "mig mig MIG-near",
        "No known node",
        "NVIDIA B200 GPU-new",
        "mig mig MIG-lost",
    ]
    assert [row[1] for row in rows_of(page) if row[0].endswith("GPU-new")] == ["not seen"]
    shown = tiles(part("/fleet/numbers"))
    assert (shown["Nodes"], shown["Cards"]) == ("1 with GPUs in service", "2 whole or sliced")
    assert shown["Cost per hour"].startswith("$6.00 ")
    assert names(part("/fleet/list", model="NVIDIA B200")) == ["No known node", "NVIDIA B200 GPU-new"]
    assert "GPU-new" not in part("/fleet/list", label="cuda:0")
    assert "GPU-new" not in part("/fleet/list", idle="false")


def test_compute_instances_of_one_gpu_instance_count_their_memory_once(fleet: int, part: Part) -> None:
    del fleet
    ComputeResource.objects.filter(uuid__in=[ONE, TWO]).update(gi_id=1)

    assert rows_of(part("/fleet/list"))[2][3] == "30 / 40 GiB"
    assert tiles(part("/fleet/numbers"))["Memory used"] == "30 GiB of 40 GiB of these"


def test_another_tenants_gpus_are_not_shown(held: Held, part: Part) -> None:
    held(time.time_ns() - SECOND_NS, 1, FULL | READ, tenant="vision-lab")

    assert "No GPU is in service" in part("/fleet/list")
    assert tiles(part("/fleet/numbers"))["Cards"].startswith("0 ")
    assert "No GPU has been seen yet" in part("/gpus")


def test_without_any_gpu_the_page_says_what_to_send(client: Client, clickhouse: object) -> None:
    del clickhouse
    page = client.get("/gpus").content.decode()

    assert "gpu.0.resource_uuid" in page
    assert 'href="/admin/registry/physicalgpu/add/"' in page
    assert "hx-get" not in page


@pytest.mark.usefixtures("fleet")
def test_a_filter_that_finds_nothing_leads_back(part: Part) -> None:
    page = part("/fleet/list", q="nothing-like-it", range="24h")

    assert "No GPU is like that" in page
    assert links_of(page)["all GPUs in service"] == "/gpus?range=24h"


def many_cards(count: int) -> None:
    """Register so many cards, two a node, with two slices each that somebody holds."""
    tenant = Tenant.objects.get_or_create(slug="default")[0]
    now = timezone.now()
    seen = {"first_seen": now, "last_seen": now}
    nodes = Node.objects.bulk_create(Node(tenant=tenant, name=f"node-{n:03}") for n in range(-(-count // 2)))
    cards = PhysicalGPU.objects.bulk_create(
        PhysicalGPU(tenant=tenant, uuid=f"GPU-{n:03}", seen_node=nodes[n // 2], **seen) for n in range(count)
    )
    slices = ComputeResource.objects.bulk_create(
        ComputeResource(tenant=tenant, uuid=f"MIG-{n:03}-{at}", seen_physical=card, seen_resource_type="mig", **seen)
        for n, card in enumerate(cards)
        for at in range(2)
    )
    ResourceContext.objects.bulk_create(ResourceContext(resource=one, hostname="h", attached_at=now) for one in slices)


def test_many_cards_come_in_pages_that_cut_no_card(part: Part, clickhouse: object) -> None:
    del clickhouse
    many_cards(70)
    seen, offset = [], "0"
    while offset:
        page = part("/fleet/list", offset=offset)
        listed = [name.rpartition(" ")[2] for name in names(page)]
        seen += [name for name in listed if name.startswith(("GPU-", "MIG-"))]
        following = links_of(page).get("Next →", "")
        offset = following.partition("offset=")[2]
    assert seen == [name for n in range(70) for name in (f"GPU-{n:03}", f"MIG-{n:03}-0", f"MIG-{n:03}-1")]

    middle = part("/fleet/list", offset=24)
    assert "25 \N{EN DASH} 48 of 70 cards" in text_of(middle)
    assert links_of(middle)["← Previous"] == "/gpus?"
    # the counts are of the whole node
    assert names(middle)[0] == "node-012 4 GPUs Correct the node node-012"


@pytest.mark.parametrize("count", [1, 40])
def test_the_number_of_statements_and_queries_is_known(
    part: Part,
    queries: list[str],
    django_assert_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    many_cards(count)
    for path, statements, asked in (("/gpus", 1, 0), ("/fleet/numbers", 3, 1), ("/fleet/list", 7, 2)):
        queries.clear()
        with django_assert_num_queries(statements):
            part(path)
        assert len(queries) == asked, path


def test_while_clickhouse_is_away_the_frame_is_there_and_its_parts_say_so(
    client: Client, part: Part, fleet: int, request: pytest.FixtureRequest
) -> None:
    del fleet
    request.getfixturevalue("clickhouse_away")
    assert "dgx-1" in client.get("/gpus").content.decode()
    assert "Not available for now" in part("/fleet/list", code=503)
    assert "Not available for now" in part("/fleet/numbers", code=503)
