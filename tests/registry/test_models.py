"""The invariants of the registry, as PostgreSQL enforces them."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext, Tenant

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.get_or_create(slug="default", defaults={"name": "default"})[0]


@pytest.fixture
def card(tenant: Tenant) -> PhysicalGPU:
    return PhysicalGPU.objects.create(tenant=tenant, uuid="GPU-1", set_model="NVIDIA H100 80GB HBM3")


@pytest.fixture
def resource(tenant: Tenant, card: PhysicalGPU) -> ComputeResource:
    return ComputeResource.objects.create(tenant=tenant, uuid="MIG-1", set_physical=card)


def refuses(constraint: str) -> Any:
    return pytest.raises(IntegrityError, match=f'"{constraint}"')


def test_the_migrations_are_those_of_the_models() -> None:
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


def test_a_migration_creates_the_default_tenant() -> None:
    Tenant.objects.all().delete()
    migration = import_module("registry.migrations.0003_default_tenant")
    for _ in range(2):
        migration.create_default_tenant(apps, None)
        assert Tenant.objects.get().slug == "default"


def test_a_slug_belongs_to_one_tenant(tenant: Tenant) -> None:
    with refuses("tenant_slug_unique"):
        Tenant.objects.create(slug=tenant.slug, name="another")


def test_a_uuid_is_unique_within_its_tenant_and_free_in_another(
    tenant: Tenant, card: PhysicalGPU, resource: ComputeResource
) -> None:
    other = Tenant.objects.create(slug="vision-lab", name="Vision Lab")
    PhysicalGPU.objects.create(tenant=other, uuid=card.uuid)
    ComputeResource.objects.create(tenant=other, uuid=resource.uuid)
    with refuses("physical_gpu_uuid_unique"), transaction.atomic():
        PhysicalGPU.objects.create(tenant=tenant, uuid=card.uuid)
    with refuses("compute_resource_uuid_unique"):
        ComputeResource.objects.create(tenant=tenant, uuid=resource.uuid)


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("physical_gpu_uuid_not_empty", {"uuid": ""}),
        ("physical_gpu_cost_not_negative", {"cost_per_hour_usd": "-0.000001"}),
        ("physical_gpu_memory", {"set_memory_total_gb": 0}),
        ("physical_gpu_memory", {"set_memory_total_gb": float("nan")}),
        ("physical_gpu_memory", {"set_memory_total_gb": float("inf")}),
        ("physical_gpu_seen_memory", {"seen_memory_total_gb": float("nan")}),
        ("physical_gpu_compute_capability", {"compute_capability": "nine"}),
        ("physical_gpu_sm_count", {"sm_count": 0}),
        ("physical_gpu_tflops", {"tflops": float("nan")}),
        ("physical_gpu_tdp", {"tdp_watts": 0}),
        ("physical_gpu_pcie_bus_id", {"pcie_bus_id": "slot 3"}),
        ("physical_gpu_labels_object", {"labels": ["team"]}),
        ("physical_gpu_labels_texts", {"labels": {"team": 5}}),
        ("physical_gpu_labels_texts", {"labels": {"team": {"name": "search"}}}),
        ("physical_gpu_seen_in_order", {"first_seen": NOW, "last_seen": NOW - timedelta(microseconds=1)}),
    ],
)
def test_a_card_that_cannot_be_is_refused(tenant: Tenant, constraint: str, fields: dict[str, Any]) -> None:
    with refuses(constraint):
        PhysicalGPU.objects.create(**{"tenant": tenant, "uuid": "GPU-2", **fields})


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("compute_resource_uuid_not_empty", {"uuid": ""}),
        ("compute_resource_memory", {"set_memory_total_gb": -1}),
        ("compute_resource_seen_memory", {"seen_memory_total_gb": 0}),
        ("compute_resource_mig_profile", {"set_mig_profile": "a half"}),
        ("compute_resource_sm_share", {"set_sm_share": "1.1"}),
        ("compute_resource_sm_share", {"set_sm_share": 0}),
        ("compute_resource_cost_not_negative", {"set_cost_per_hour_usd": "-0.000001"}),
        ("compute_resource_labels_texts", {"labels": {"team": None}}),
        ("compute_resource_seen_in_order", {"first_seen": NOW, "last_seen": NOW - timedelta(microseconds=1)}),
    ],
)
def test_a_resource_that_cannot_be_is_refused(tenant: Tenant, constraint: str, fields: dict[str, Any]) -> None:
    with refuses(constraint):
        ComputeResource.objects.create(**{"tenant": tenant, "uuid": "MIG-2", **fields})


def test_a_price_may_be_zero_and_has_six_decimals(tenant: Tenant) -> None:
    card = PhysicalGPU.objects.create(tenant=tenant, uuid="GPU-2", cost_per_hour_usd="0.000001")
    card.refresh_from_db()
    assert str(card.cost_per_hour_usd) == "0.000001"
    PhysicalGPU.objects.create(tenant=tenant, uuid="GPU-3", cost_per_hour_usd=0)


def test_a_resource_is_on_a_card_of_its_own_tenant(card: PhysicalGPU) -> None:
    other = Tenant.objects.create(slug="vision-lab", name="Vision Lab")
    resource = ComputeResource(tenant=other, uuid="MIG-2", set_physical=card)
    with pytest.raises(ValidationError, match="belongs to another tenant"):
        resource.full_clean()
    with refuses("compute_resource_set_card_of_tenant"):
        resource.save()
        connection.check_constraints()


@pytest.mark.parametrize("column", ["set_node", "seen_node"])
def test_a_card_is_in_a_node_of_its_own_tenant(tenant: Tenant, column: str) -> None:
    node = Node.objects.create(tenant=Tenant.objects.create(slug="vision-lab", name="Vision Lab"), name="node-1")
    card = PhysicalGPU(tenant=tenant, uuid="GPU-2", **{column: node})
    if column == "set_node":
        with pytest.raises(ValidationError, match="belongs to another tenant"):
            card.full_clean()
    with refuses(f"physical_gpu_{column}_of_tenant"):
        card.save()
        connection.check_constraints()


@pytest.mark.parametrize(("name", "labels"), [("", {}), ("node-1", {"rack": 7}), ("node-1", [])])
def test_a_node_that_cannot_be_is_refused(tenant: Tenant, name: str, labels: Any) -> None:
    with pytest.raises(IntegrityError, match=r'"node_(name_not_empty|labels_texts|labels_object)"'):
        Node.objects.create(tenant=tenant, name=name, labels=labels)


def test_what_counts_is_what_is_set_else_what_was_seen(tenant: Tenant) -> None:
    node = Node.objects.create(tenant=tenant, name="node-1")
    card = PhysicalGPU.objects.create(
        tenant=tenant, uuid="GPU-2", set_model="H200", seen_model="H100", seen_node=node, seen_memory_total_gb=80
    )
    assert (card.model, card.node, card.memory_total_gb, card.conflicts) == ("H200", node, 80, ["model"])
    assert list(PhysicalGPU.objects.in_conflict()) == [card]
    card.set_model = ""
    card.save()
    card.refresh_from_db()
    assert (card.model, card.conflicts) == ("H100", [])


def test_a_resource_outlives_its_card(card: PhysicalGPU, resource: ComputeResource) -> None:
    card.delete()
    connection.check_constraints()
    resource.refresh_from_db()
    assert resource.physical is None


def test_a_holder_has_one_open_context_of_a_resource_and_any_number_of_ended_ones(resource: ComputeResource) -> None:
    holder = {"resource": resource, "user_label": "cuda:0", "hostname": "dgx-h100-02", "attached_at": NOW}
    for _ in range(2):
        ResourceContext.objects.create(**holder, detached_at=NOW)
    ResourceContext.objects.create(**holder)
    ResourceContext.objects.create(**holder | {"hostname": "dgx-h100-03"})
    with refuses("resource_context_one_per_holder"):
        ResourceContext.objects.create(**holder)


def test_a_context_does_not_end_before_it_begins(resource: ComputeResource) -> None:
    with refuses("resource_context_attached_before_detached"):
        ResourceContext.objects.create(resource=resource, attached_at=NOW, detached_at=NOW - timedelta(microseconds=1))


@pytest.mark.parametrize("labels", [[], "team", 1, None])
def test_labels_are_an_object(resource: ComputeResource, labels: object) -> None:
    with pytest.raises(IntegrityError, match="labels"):
        ResourceContext.objects.create(resource=resource, attached_at=NOW, labels=labels)


def test_siblings_are_the_other_slices_of_the_same_card(
    tenant: Tenant, card: PhysicalGPU, resource: ComputeResource
) -> None:
    sibling = ComputeResource.objects.create(tenant=tenant, uuid="MIG-2", set_physical=card)
    loner = ComputeResource.objects.create(tenant=tenant, uuid="MIG-3")
    ComputeResource.objects.create(tenant=tenant, uuid="MIG-4")
    assert list(ComputeResource.objects.siblings_of(resource)) == [sibling]
    assert list(ComputeResource.objects.siblings_of(loner)) == []


@pytest.mark.parametrize(
    ("uuid", "resource_type", "shown"),
    [("GPU-1", "", "full_gpu"), ("MIG-2", "", "mig"), ("MIG-2", "mig_1g.10gb", "mig_1g.10gb")],
)
def test_a_type_that_nobody_told_is_guessed_from_the_uuids(
    tenant: Tenant, card: PhysicalGPU, uuid: str, resource_type: str, shown: str
) -> None:
    ComputeResource.objects.create(tenant=tenant, uuid=uuid, set_physical=card, set_resource_type=resource_type)
    resource: Any = ComputeResource.objects.described().get()
    assert resource.type_or_guess == shown
