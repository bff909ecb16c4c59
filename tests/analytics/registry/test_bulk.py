"""POST of /nodes/bulk, /physical-gpus/bulk and /compute-resources/bulk: all of the list, or none of it."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from registry.models import ComputeResource, Node, PhysicalGPU, Tenant
from tests.analytics.conftest import Get, Write, wrong
from tests.analytics.registry.records import CARDS, RESOURCES

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]


@pytest.fixture
def bulk(write: Write) -> Any:
    def send(kind: str, bodies: Any, status: int = 200) -> dict[str, Any]:
        return write("post", f"{kind}/bulk", bodies, status=status)

    return send


def test_what_is_new_is_created_what_is_there_changed_and_the_rest_left_as_it_is(bulk: Any, get: Get) -> None:
    cards = [{"uuid": f"GPU-{n}", "node_id": "node-1", "cost_per_hour_usd": "2.85"} for n in range(3)]
    assert bulk(CARDS, cards) == {"created": 3, "updated": 0, "unchanged": 0}
    assert bulk(CARDS, cards) == {"created": 0, "updated": 0, "unchanged": 3}
    changes = [{"uuid": "GPU-0", "labels": {"team": "search"}}, {"uuid": "GPU-1"}, {"uuid": "GPU-9", "model": "H200"}]
    assert bulk(CARDS, changes) == {"created": 1, "updated": 1, "unchanged": 1}
    card = get(f"{CARDS}/GPU-0")
    assert (card["labels"], card["node_id"]) == ({"team": "search"}, "node-1"), "what the body leaves out stays"
    assert Node.objects.get().name == "node-1"

    slices = [{"uuid": f"MIG-{n}", "physical_uuid": "GPU-0", "resource_type": "mig_1g.10gb"} for n in range(7)]
    assert bulk(RESOURCES, slices)["created"] == 7
    retired = [{"uuid": "MIG-3", "retired_at": "2026-02-07T10:00:00Z"}]
    assert bulk(RESOURCES, retired) == {"created": 0, "updated": 1, "unchanged": 0}
    assert get(f"{RESOURCES}/MIG-3")["retired_by"] == "operator"
    assert [row["uuid"] for row in get(RESOURCES, retired="true")["compute_resources"]] == ["MIG-3"]
    assert bulk("/nodes", [{"node_id": "node-1", "region": "us-east-1"}]) == {
        "created": 0,
        "updated": 1,
        "unchanged": 0,
    }


def test_a_fault_is_named_by_its_place_and_field_and_nothing_is_written(bulk: Any) -> None:
    cards = [
        {"uuid": "GPU-0", "node_id": "node-1"},
        {"uuid": "GPU-1", "sm_count": 0, "pcie_bus_id": "slot 3"},
        {"model": "H100"},
        "GPU-3",
        {"uuid": "GPU-0"},
        {"uuid": "GPU-5", "labels": {"team": 5}, "price": 1},
        {"uuid": ["GPU-6"]},
        {"uuid": "GPU-\ud800"},
        {"uuid": "GPU-8", "tflops": 10**400, "compute_capability": "nine", "tdp_watts": 0},
    ]
    assert wrong(bulk(CARDS, cards, 400)) == {
        *("1.sm_count", "1.pcie_bus_id", "2.uuid", "3.non_field_errors", "4.uuid", "5.labels", "5.price"),
        *("6.uuid", "7.uuid", "8.tflops", "8.compute_capability", "8.tdp_watts"),
    }
    assert (PhysicalGPU.objects.count(), Node.objects.count()) == (0, 0)
    assert wrong(bulk(RESOURCES, [{"uuid": "MIG-1", "physical_uuid": "GPU-none"}], 400)) == {"0.physical_uuid"}
    assert ComputeResource.objects.count() == 0


@pytest.mark.parametrize("bodies", [{"uuid": "GPU-1"}, [{"uuid": f"GPU-{n}"} for n in range(1001)]])
def test_a_bulk_is_a_list_of_a_bounded_length(bulk: Any, bodies: Any) -> None:
    assert wrong(bulk(CARDS, bodies, 400)) == {"non_field_errors"}


def test_of_another_tenant_nothing_is_changed(bulk: Any) -> None:
    other = Tenant.objects.create(slug="vision-lab", name="Vision Lab")
    theirs = PhysicalGPU.objects.create(tenant=other, uuid="GPU-1", set_model="A100")
    assert bulk(CARDS, [{"uuid": "GPU-1", "model": "H200"}])["created"] == 1
    theirs.refresh_from_db()
    assert theirs.model == "A100"
    PhysicalGPU.objects.create(tenant=other, uuid="GPU-2")
    assert wrong(bulk(RESOURCES, [{"uuid": "MIG-1", "physical_uuid": "GPU-2"}], 400)) == {"0.physical_uuid"}


@pytest.mark.parametrize("count", [2, 40])
def test_the_number_of_statements_does_not_grow_with_the_list(
    bulk: Any, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    bulk(CARDS, [{"uuid": f"GPU-{n}"} for n in range(0, count, 2)])
    cards = [{"uuid": f"GPU-{n}", "node_id": f"node-{n}", "model": "H200"} for n in range(count)]
    # a savepoint; what is there, the tenant, the nodes before and after; three writes, each with its history
    with django_assert_num_queries(12):
        bulk(CARDS, cards)
