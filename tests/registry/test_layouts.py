"""A card that is partitioned anew keeps its history: the slices of the old layout are retired, not deleted."""

import time

import pytest

from registry.models import ComputeResource, PhysicalGPU, RetiredBy, Tenant
from registry.sync import sync_registry
from registry.times import to_datetime
from tests.otlp import MILLISECOND_NS, SECOND_NS
from tests.registry.conftest import CARD, See

pytestmark = pytest.mark.django_db

ORIGIN_NS = time.time_ns() - 600 * SECOND_NS


def run(see: See, at_s: int, *uuids: str, kind: str) -> None:
    """Have these slices of a type, or the whole card, run a span each at a second."""
    for uuid in uuids:
        see(start_ns=ORIGIN_NS + at_s * SECOND_NS, resource_uuid=uuid, physical_uuid=CARD, resource_type=kind)


def retired() -> set[str]:
    return set(ComputeResource.objects.retired().values_list("uuid", flat=True))


SEVEN = [f"MIG-old-{n}" for n in range(7)]


def test_slices_that_need_more_sms_than_the_card_has_left_are_gone(see: See) -> None:
    run(see, 0, *SEVEN, kind="mig_1g.10gb")
    sync_registry()
    assert retired() == set()

    run(see, 60, "MIG-new-1", kind="mig_3g.40gb")
    sync_registry()
    assert retired() == set(), "one of them may still be there beside it"

    run(see, 61, "MIG-new-2", kind="mig_4g.40gb")
    run(see, 62, "MIG-new-1", kind="mig_3g.40gb")
    sync_registry()
    assert retired() == set(SEVEN)
    old = ComputeResource.objects.get(uuid=SEVEN[0])
    assert (old.retired_by, old.retired_at) == (
        RetiredBy.LAYOUT,
        to_datetime(ORIGIN_NS + 100 * MILLISECOND_NS),
    ), "since it was seen last"
    assert old.physical is not None


def test_slices_that_need_more_memory_than_the_card_has_left_are_gone(see: See) -> None:
    PhysicalGPU.objects.create(tenant=Tenant.objects.get(), uuid=CARD, set_memory_total_gb=79.65)
    run(see, 0, "MIG-a", "MIG-b", kind="mig_40gb")
    run(see, 60, "MIG-b", "MIG-c", kind="mig_40gb")
    sync_registry()
    assert retired() == {"MIG-a"}, "two of 40 GB stand on a card of 79.65 GiB, three do not"


def test_a_layout_that_fits_retires_nobody_however_its_slices_take_turns(see: See) -> None:
    PhysicalGPU.objects.create(tenant=Tenant.objects.get(), uuid=CARD, set_memory_total_gb=79.65)
    for turn in range(3):
        for n, uuid in enumerate(SEVEN):
            run(see, 10 * turn + n, uuid, kind="mig_1g.10gb")
        sync_registry()
        assert retired() == set()


def test_a_whole_card_in_use_retires_its_slices_and_slices_in_use_the_whole_card(see: See) -> None:
    run(see, 0, "MIG-a", kind="mig_3g.40gb")
    run(see, 60, CARD, kind="full_gpu")
    sync_registry()
    assert retired() == {"MIG-a"}

    run(see, 120, "MIG-b", kind="mig_3g.40gb")
    sync_registry()
    assert retired() == {"MIG-a", CARD}


def test_a_retired_slice_that_is_seen_again_is_back(see: See) -> None:
    run(see, 0, "MIG-a", kind="mig_3g.40gb")
    run(see, 60, CARD, kind="full_gpu")
    sync_registry()
    run(see, 120, "MIG-a", kind="mig_3g.40gb")
    sync_registry()
    assert retired() == {CARD}


def test_what_operators_retired_stays_retired_and_what_they_set_to_be_there_is(see: See) -> None:
    run(see, 0, "MIG-a", kind="mig_3g.40gb")
    sync_registry()
    slice_ = ComputeResource.objects.get()
    slice_.retired_at = to_datetime(ORIGIN_NS)
    slice_.save()
    run(see, 60, "MIG-a", kind="mig_3g.40gb")
    sync_registry()
    slice_.refresh_from_db()
    assert (slice_.retired_at, slice_.retired_by) == (to_datetime(ORIGIN_NS), RetiredBy.OPERATOR)


def test_parts_of_a_card_that_are_no_mig_slices_stand_beside_it(see: See) -> None:
    run(see, 0, "vgpu-1", kind="vgpu")
    run(see, 60, CARD, kind="full_gpu")
    sync_registry()
    assert retired() == set()


def test_compute_instances_of_one_gpu_instance_share_its_memory(see: See) -> None:
    PhysicalGPU.objects.create(tenant=Tenant.objects.get(), uuid=CARD, set_memory_total_gb=80)
    for n in range(3):
        run(see, n, f"MIG-ci-{n}", kind="mig_1c.3g.40gb")
    run(see, 9, "MIG-b", kind="mig_3g.40gb")
    sync_registry()
    assert retired() == set()
