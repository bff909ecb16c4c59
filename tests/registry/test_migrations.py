"""What stood in the registry before what was set and what was seen were told apart."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext, Tenant

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [("registry", "0004_api_keys")]
NOW = timezone.now()
EARLIER = NOW - timedelta(hours=9)


def migrate(targets: list[tuple[str, str]]) -> Any:
    """Migrate to these and return the models as they were then."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


def latest() -> list[tuple[str, str]]:
    return [each for each in MigrationExecutor(connection).loader.graph.leaf_nodes() if each[0] == "registry"]


@pytest.fixture
def before() -> Iterator[Any]:
    """Yield the models of a database as it was before; it is migrated again whatever happens."""
    targets = latest()
    yield migrate(BEFORE)
    migrate(targets)


def test_what_a_cards_own_resources_say_was_seen_and_anything_else_is_kept_as_set(before: Any) -> None:
    tenant = before.get_model("registry", "Tenant").objects.get_or_create(slug="default")[0]
    card = before.get_model("registry", "PhysicalGPU").objects.create
    resource = before.get_model("registry", "ComputeResource").objects.create
    seen = {"first_seen": EARLIER, "last_seen": NOW}
    one = card(tenant=tenant, uuid="GPU-1", model="H100", vendor="corrected", node_id="node-1", **seen)
    resource(
        tenant=tenant,
        uuid="MIG-1",
        physical=one,
        resource_type="mig_1g.10gb",
        memory_total_gb=9.75,
        seen_model="H100",
        seen_vendor="NVIDIA",
        seen_node_id="node-1",
        **seen,
    )
    two = card(tenant=tenant, uuid="GPU-2", node_id="rack-7", memory_total_gb=80)
    resource(
        tenant=tenant, uuid="GPU-2", physical=two, resource_type="full_gpu", memory_total_gb=80, seen_node_id="node-2"
    )
    resource(tenant=tenant, uuid="MIG-2", seen_node_id="node-3")

    migrate(latest())
    first, second = PhysicalGPU.objects.order_by("uuid")
    assert (first.set_model, first.seen_model, first.model) == ("", "H100", "H100")
    assert (first.set_vendor, first.seen_vendor, first.vendor) == ("corrected", "", "corrected")
    assert (first.set_node, str(first.seen_node), str(first.node)) == (None, "node-1", "node-1")
    assert (str(second.set_node), second.seen_node) == ("rack-7", None)
    assert (second.set_memory_total_gb, second.seen_memory_total_gb) == (None, 80)
    slice_ = ComputeResource.objects.get(uuid="MIG-1")
    assert (slice_.set_physical, slice_.physical, slice_.mig_profile) == (first, first, "1g.10gb")
    assert (slice_.set_resource_type, slice_.set_memory_total_gb) == ("mig_1g.10gb", 9.75)
    whole = ComputeResource.objects.get(uuid="GPU-2")
    assert (whole.set_physical, whole.seen_physical, whole.set_resource_type) == (None, second, "")
    assert (whole.resource_type, whole.memory_total_gb) == ("full_gpu", 80)
    assert str(ComputeResource.objects.get(uuid="MIG-2").seen_node) == "node-3"
    assert set(Node.objects.values_list("name", flat=True)) == {"node-1", "node-2", "node-3", "rack-7"}
    assert Node.objects.get(name="node-1").first_seen == EARLIER


def test_the_last_end_of_a_holder_who_fell_silent_is_a_conclusion_and_the_others_stay(before: Any) -> None:
    tenant = before.get_model("registry", "Tenant").objects.get_or_create(slug="default")[0]
    resource = before.get_model("registry", "ComputeResource").objects.create(tenant=tenant, uuid="MIG-1")
    hold = before.get_model("registry", "ResourceContext").objects.create
    for pod, attached_at, last_seen, detached_at in (
        ("silent", EARLIER, NOW, NOW),
        ("ended", EARLIER, EARLIER, NOW),
        ("back", EARLIER, EARLIER, EARLIER),
        ("back", NOW, NOW, None),
    ):
        hold(resource=resource, pod=pod, attached_at=attached_at, last_seen=last_seen, detached_at=detached_at)

    migrate(latest())
    ends = ResourceContext.objects.order_by("pod", "attached_at").values_list("pod", "ended_by")
    assert list(ends) == [("back", "operator"), ("back", ""), ("ended", "operator"), ("silent", "silence")]


def test_the_way_back_keeps_what_counts(before: Any) -> None:
    del before
    migrate(latest())
    tenant = Tenant.objects.get_or_create(slug="default")[0]
    node = Node.objects.create(tenant=tenant, name="node-1")
    card = PhysicalGPU.objects.create(tenant=tenant, uuid="GPU-1", set_model="H100", seen_node=node)
    ComputeResource.objects.create(tenant=tenant, uuid="MIG-1", seen_physical=card, seen_resource_type="mig_40gb")

    apps = migrate(BEFORE)
    old = apps.get_model("registry", "PhysicalGPU").objects.get()
    assert (old.model, old.node_id) == ("H100", "node-1")
    slice_ = apps.get_model("registry", "ComputeResource").objects.get()
    assert (slice_.physical_id, slice_.resource_type) == (old.pk, "mig_40gb")
