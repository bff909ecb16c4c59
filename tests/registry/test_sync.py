"""Sightings become the registry: what is new is added, what is blank filled, what stands left alone."""

import time
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from registry import sync
from registry.models import ComputeResource, Node, PhysicalGPU, Tenant
from registry.sightings import read_sightings
from registry.sync import WATERMARK_KEY, sync_registry
from registry.times import to_datetime
from tests.conftest import Ingest
from tests.otlp import MILLISECOND_NS, SECOND_NS, gpu, request, span
from tests.registry.conftest import CARD, SLICE, See

pytestmark = pytest.mark.django_db

H100 = "NVIDIA H100 80GB HBM3"


def test_a_new_slice_is_registered_with_its_card(see: See) -> None:
    start_ns = time.time_ns() - 5 * SECOND_NS
    see(
        start_ns=start_ns,
        resource_uuid=SLICE,
        physical_uuid=CARD,
        model=H100,
        vendor="NVIDIA",
        node_id="dgx-h100-02",
        resource_type="mig_1g.10gb",
        memory_total_gb=9.75,
    )

    assert sync_registry()

    resource = ComputeResource.objects.select_related("tenant", "physical").get()
    assert (resource.tenant.slug, resource.uuid, resource.resource_type) == ("default", SLICE, "mig_1g.10gb")
    assert resource.memory_total_gb == 9.75
    assert (resource.first_seen, resource.last_seen) == (
        to_datetime(start_ns),
        to_datetime(start_ns + 100 * MILLISECOND_NS),
    )
    card = resource.physical
    assert card is not None
    assert (card.uuid, card.model, card.vendor, str(card.node)) == (CARD, H100, "NVIDIA", "dgx-h100-02")
    assert card.memory_total_gb is None  # the slice's memory is not the card's
    assert (card.first_seen, card.last_seen) == (resource.first_seen, resource.last_seen)


def test_a_full_card_is_a_resource_and_a_card_with_the_same_memory(see: See) -> None:
    see(resource_uuid=CARD, physical_uuid=CARD, memory_total_gb=80)

    sync_registry()

    guesses = ("type_or_guess", "vendor_or_guess")
    assert ComputeResource.objects.described().values_list(*guesses).get() == ("full_gpu", "NVIDIA")
    resource = ComputeResource.objects.select_related("physical").get()
    assert resource.physical is not None
    assert resource.physical.memory_total_gb == resource.memory_total_gb == 80


def test_a_run_that_sees_nothing_new_changes_nothing(see: See) -> None:
    see(resource_uuid=SLICE, physical_uuid=CARD, user_label="cuda:0", sender={"host.name": "dgx-h100-02"})
    sync_registry()

    def versions() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT xmin::text::bigint, id FROM registry_physicalgpu UNION ALL"
                " SELECT xmin::text::bigint, id FROM registry_computeresource UNION ALL"
                " SELECT xmin::text::bigint, id FROM registry_resourcecontext"
            )
            return list(cursor.fetchall())

    before = versions()
    assert len(before) == 3
    sync_registry()
    cache.delete(WATERMARK_KEY)  # which makes the next run read everything
    sync_registry()
    assert versions() == before


def test_what_operations_set_is_not_overwritten(see: See) -> None:
    tenant = Tenant.objects.get_or_create(slug="default")[0]
    rack = Node.objects.create(tenant=tenant, name="rack-7")
    card = PhysicalGPU.objects.create(
        tenant=tenant,
        uuid=CARD,
        set_model="H100 SXM5",
        set_node=rack,
        set_memory_total_gb=79.6,
        cost_per_hour_usd="2.85",
    )
    other = PhysicalGPU.objects.create(tenant=tenant, uuid="GPU-other")
    ComputeResource.objects.create(tenant=tenant, uuid=CARD, set_physical=other, set_resource_type="full_gpu_reserved")

    see(resource_uuid=CARD, physical_uuid=CARD, model=H100, vendor="NVIDIA", node_id="node-1", memory_total_gb=80)
    sync_registry()

    card.refresh_from_db()
    assert (card.model, card.node, card.memory_total_gb) == ("H100 SXM5", rack, 79.6)
    assert card.cost_per_hour_usd == Decimal("2.85")
    assert card.vendor == "NVIDIA"  # was blank
    resource = ComputeResource.objects.get()
    assert (resource.physical, resource.resource_type) == (other, "full_gpu_reserved")
    assert card.last_seen is not None
    assert resource.last_seen is not None


def test_a_blank_is_filled_by_the_first_sighting_that_says_it(see: See) -> None:
    see(resource_uuid=SLICE)
    sync_registry()
    resource = ComputeResource.objects.get()
    assert (resource.physical, resource.resource_type, resource.memory_total_gb) == (None, "", None)

    see(resource_uuid=SLICE, physical_uuid=CARD, resource_type="mig_1g.10gb", memory_total_gb=9.75)
    see(resource_uuid=SLICE, physical_uuid=CARD, model=H100)
    sync_registry()

    resource = ComputeResource.objects.select_related("physical").get()
    assert resource.physical is not None
    assert (resource.physical.uuid, resource.physical.model) == (CARD, H100)
    assert (resource.resource_type, resource.memory_total_gb) == ("mig_1g.10gb", 9.75)


def test_a_sighting_without_card_does_not_detach_a_known_one(see: See) -> None:
    see(resource_uuid=SLICE, physical_uuid=CARD)
    sync_registry()
    see(resource_uuid=SLICE)
    sync_registry()

    resource = ComputeResource.objects.select_related("physical").get()
    assert resource.physical is not None
    assert resource.physical.uuid == CARD


def test_without_a_card_the_resource_is_described_by_its_spans(see: See) -> None:
    see(resource_uuid=SLICE, model="NVIDIA H100 MIG 1g.10gb", node_id="dgx-h100-02")
    sync_registry()

    resource: Any = ComputeResource.objects.described().get()
    assert (resource.physical_uuid, resource.model, resource.node_id, resource.type_or_guess) == (
        "",
        "NVIDIA H100 MIG 1g.10gb",
        "dgx-h100-02",
        "mig",
    )


def test_of_two_sightings_in_one_run_the_latest_that_says_a_field_counts(see: See) -> None:
    now_ns = time.time_ns()
    see(start_ns=now_ns - 30 * SECOND_NS, resource_uuid=SLICE, physical_uuid=CARD, model="old", node_id="node-1")
    see(start_ns=now_ns - 20 * SECOND_NS, resource_uuid=SLICE, physical_uuid=CARD, model="new")
    see(start_ns=now_ns - 40 * SECOND_NS, resource_uuid=SLICE, physical_uuid=CARD, model="older", node_id="node-0")

    sync_registry()

    card = PhysicalGPU.objects.get()
    assert (card.model, str(card.node)) == ("new", "node-1")


def test_what_is_seen_is_kept_fresh_whatever_the_order_in_which_sightings_come(
    see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "OVERLAP_MS", 0)  # so that no run sees again what an earlier one did
    now_ns = time.time_ns()
    for age_s, model, node in (
        (30, "second", "node-2"),
        (10, "", "node-3"),
        (40, "first", "node-1"),
        (20, "third", ""),
    ):
        start_ns = now_ns - age_s * SECOND_NS
        see(start_ns=start_ns, resource_uuid=SLICE, physical_uuid=CARD, model=model, node_id=node)
        sync_registry()

    card = PhysicalGPU.objects.get()
    assert (card.model, str(card.node)) == ("third", "node-3")
    resource = ComputeResource.objects.get()
    assert (resource.seen_model, str(resource.seen_node)) == ("third", "node-3")


def test_times_are_widened_both_ways_and_never_narrowed(see: See) -> None:
    start_ns = time.time_ns() - 60 * SECOND_NS
    for offset_s in (0, 10, -10, 5):
        see(start_ns=start_ns + offset_s * SECOND_NS, resource_uuid=SLICE, physical_uuid=CARD)
        sync_registry()

    first, last = to_datetime(start_ns - 10 * SECOND_NS), to_datetime(start_ns + 10 * SECOND_NS + 100 * MILLISECOND_NS)
    for seen in (ComputeResource.objects.get(), PhysicalGPU.objects.get()):
        assert (seen.first_seen, seen.last_seen) == (first, last)


def test_an_unknown_tenant_is_created_and_owns_its_gpus(see: See) -> None:
    see(tenant="vision-lab", resource_uuid=SLICE, physical_uuid=CARD)
    see(resource_uuid=SLICE, physical_uuid=CARD)

    sync_registry()

    assert Tenant.objects.get(slug="vision-lab").name == "vision-lab"
    owners = ComputeResource.objects.filter(uuid=SLICE).values_list("tenant__slug", "physical__tenant__slug")
    assert set(owners) == {("vision-lab", "vision-lab"), ("default", "default")}


@pytest.mark.parametrize("count", [3, 300])
def test_the_number_of_statements_does_not_grow_with_the_number_of_gpus(
    ingest: Ingest, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    spans = [
        span(attributes=gpu(0, resource_uuid=f"MIG-{n}", physical_uuid=f"GPU-{n // 7}", user_label=f"cuda:{n}"))
        for n in range(count)
    ]
    ingest(request(*spans))

    with django_assert_num_queries(11):  # savepoint, lock, 6 upserts, release; what is idle, what to mirror
        sync_registry()

    assert ComputeResource.objects.count() == count


def test_all_pages_are_read(see: See, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "PAGE_SIZE", 2)
    for number in range(5):
        see(resource_uuid=f"MIG-{number}")

    sync_registry()

    assert ComputeResource.objects.count() == 5


def test_a_run_reads_on_from_where_the_last_one_stopped(see: See) -> None:
    see(resource_uuid=SLICE)
    sync_registry()

    watermark_ms = cache.get(WATERMARK_KEY)
    assert read_sightings(written_after_ms=watermark_ms, limit=10) == []
    (sighting,) = read_sightings(written_after_ms=watermark_ms - 1, limit=10)
    assert (sighting.resource_uuid, sighting.written_at_ms) == (SLICE, watermark_ms)


def test_of_two_runs_at_the_same_time_the_second_leaves_it_to_the_first(see: See) -> None:
    see(resource_uuid=SLICE)
    database = connection.settings_dict
    with psycopg.connect(
        dbname=database["NAME"],
        host=database["HOST"],
        port=database["PORT"] or None,
        user=database["USER"],
        password=database["PASSWORD"],
    ) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [sync._ADVISORY_LOCK])
        assert not sync_registry()
        assert not ComputeResource.objects.exists()
        other.rollback()
        assert sync_registry()
    assert ComputeResource.objects.exists()


def test_values_that_postgresql_cannot_hold_stop_nobody(see: See) -> None:
    see(resource_uuid="MIG-" + "0" * 300, physical_uuid=CARD)
    see(resource_uuid="MIG-nul\0", physical_uuid=CARD)
    see(resource_uuid="MIG-1", physical_uuid="GPU-" + "0" * 300, memory_total_gb=float("nan"))
    see(resource_uuid="MIG-2", physical_uuid=CARD, model="H100\0", user_label="x" * 300, memory_total_gb=-1.0)
    see(resource_uuid="MIG-3", physical_uuid=CARD, memory_total_gb=float("inf"))

    sync_registry()

    resources = ComputeResource.objects.order_by("uuid").values_list("uuid", "physical__uuid", "memory_total_gb")
    assert list(resources) == [("MIG-1", None, None), ("MIG-2", CARD, None), ("MIG-3", CARD, None)]
    assert PhysicalGPU.objects.get().model == "H100"
