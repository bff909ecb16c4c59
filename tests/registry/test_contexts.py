"""Who held a resource, when, and under what label."""

import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django import Settings

from registry.models import ComputeResource, EndedBy, ResourceContext
from registry.sync import sync_registry
from registry.times import to_datetime
from tests.otlp import MILLISECOND_NS, SECOND_NS
from tests.registry.conftest import SLICE, See

pytestmark = pytest.mark.django_db

POD: dict[str, object] = {"host.name": "dgx-h100-02", "k8s.pod.name": "vllm-llama-70b-6f7c9", "process.pid": 1}
NEXT_POD = POD | {"k8s.pod.name": "vllm-llama-70b-9c41d"}
SILENCE_NS = settings.CONTEXT_SILENCE_SECONDS * SECOND_NS


def test_a_context_says_who_holds_a_resource_since_when(see: See) -> None:
    start_ns = time.time_ns() - 5 * SECOND_NS
    see(start_ns=start_ns, resource_uuid=SLICE, user_label="cuda:0", sender=POD)

    sync_registry()

    context = ResourceContext.objects.select_related("resource").get()
    assert context.resource.uuid == SLICE
    assert (context.user_label, context.hostname, context.pod) == ("cuda:0", "dgx-h100-02", "vllm-llama-70b-6f7c9")
    assert context.process_id == 1
    assert context.labels == {}
    assert (context.attached_at, context.detached_at) == (to_datetime(start_ns), None)
    assert context.last_seen == to_datetime(start_ns + 100 * MILLISECOND_NS)


def test_four_pods_that_see_the_same_label_are_told_apart(see: See) -> None:
    for number in range(4):
        see(resource_uuid=f"MIG-{number}", user_label="cuda:0", sender=POD | {"k8s.pod.name": f"vllm-{number}"})

    sync_registry()

    holders = ResourceContext.objects.order_by("pod").values_list("resource__uuid", "user_label", "pod")
    assert list(holders) == [(f"MIG-{n}", "cuda:0", f"vllm-{n}") for n in range(4)]


def test_one_holder_has_one_open_context_however_often_it_is_seen(see: See) -> None:
    start_ns = time.time_ns() - 60 * SECOND_NS
    for offset_s in (0, 20, -20):
        see(start_ns=start_ns + offset_s * SECOND_NS, resource_uuid=SLICE, user_label="cuda:0", sender=POD)
        see(
            start_ns=start_ns + offset_s * SECOND_NS, resource_uuid=SLICE, user_label="cuda:0", model="H100", sender=POD
        )
        sync_registry()

    context = ResourceContext.objects.get()
    assert context.attached_at == to_datetime(start_ns - 20 * SECOND_NS)
    assert context.last_seen == to_datetime(start_ns + 20 * SECOND_NS + 100 * MILLISECOND_NS)


def test_an_unknown_process_is_one_holder_too(see: See) -> None:
    for _ in range(2):
        see(resource_uuid=SLICE, user_label="cuda:0", sender={"host.name": "dgx-h100-02"})
        sync_registry()

    assert ResourceContext.objects.get().process_id is None


def test_a_span_that_names_no_holder_makes_no_context(see: See) -> None:
    see(resource_uuid=SLICE)
    sync_registry()

    assert ComputeResource.objects.exists()
    assert not ResourceContext.objects.exists()


def test_a_context_that_operations_ended_stays_ended_and_a_later_sighting_opens_another(see: See) -> None:
    see(start_ns=time.time_ns() - 10 * SECOND_NS, resource_uuid=SLICE, user_label="cuda:0", sender=POD)
    sync_registry()
    ended_at = timezone.now() - timedelta(seconds=5)
    ResourceContext.objects.all().end(ended_at)

    sync_registry()
    assert ResourceContext.objects.get().detached_at == ended_at

    see(resource_uuid=SLICE, user_label="cuda:0", sender=POD)
    sync_registry()
    old, new = ResourceContext.objects.order_by("attached_at")
    assert (old.detached_at, new.detached_at) == (ended_at, None)
    assert new.attached_at >= ended_at


def test_a_silent_holder_held_it_until_it_was_seen_last(see: See) -> None:
    start_ns = time.time_ns() - SILENCE_NS - SECOND_NS
    see(start_ns=start_ns, resource_uuid=SLICE, user_label="cuda:0", sender=POD)

    for _ in range(2):  # the second run sees the same sighting again
        sync_registry()
        context = ResourceContext.objects.get()
        assert context.detached_at == context.last_seen == to_datetime(start_ns + 100 * MILLISECOND_NS)
        assert context.ended_by == EndedBy.SILENCE


def test_a_holder_is_not_silent_before_the_time_is_up(see: See, settings: Settings) -> None:
    see(start_ns=time.time_ns() - SILENCE_NS // 2, resource_uuid=SLICE, user_label="cuda:0", sender=POD)
    sync_registry()
    assert ResourceContext.objects.get().detached_at is None

    settings.CONTEXT_SILENCE_SECONDS = 60
    sync_registry()
    assert ResourceContext.objects.get().ended_by == EndedBy.SILENCE


def test_a_silent_holder_who_is_seen_again_never_left(see: See) -> None:
    start_ns = time.time_ns() - SILENCE_NS - SECOND_NS
    see(start_ns=start_ns, resource_uuid=SLICE, user_label="cuda:0", sender=POD)
    sync_registry()
    see(resource_uuid=SLICE, user_label="cuda:0", sender=POD)
    sync_registry()

    context = ResourceContext.objects.get()
    assert (context.attached_at, context.detached_at, context.ended_by) == (to_datetime(start_ns), None, "")


def test_a_new_holder_ends_the_hold_of_the_old_one_when_it_comes(see: See) -> None:
    start_ns = time.time_ns() - 60 * SECOND_NS
    see(start_ns=start_ns, resource_uuid=SLICE, user_label="cuda:0", sender=POD)
    see(start_ns=start_ns + 9 * SECOND_NS, resource_uuid=SLICE, user_label="cuda:0", sender=NEXT_POD)
    sync_registry()

    old, new = ResourceContext.objects.order_by("attached_at")
    assert (old.detached_at, old.ended_by) == (new.attached_at, EndedBy.SUCCESSOR)
    assert new.attached_at == to_datetime(start_ns + 9 * SECOND_NS)
    assert new.detached_at is None


def test_two_pods_that_take_turns_both_hold_it(see: See) -> None:
    start_ns = time.time_ns() - 60 * SECOND_NS
    for number, sender in enumerate((POD, NEXT_POD, POD, NEXT_POD)):
        see(start_ns=start_ns + number * SECOND_NS, resource_uuid=SLICE, user_label="cuda:0", sender=sender)
        sync_registry()

    assert [context.detached_at for context in ResourceContext.objects.all()] == [None, None]


def test_an_end_that_operators_set_is_no_conclusion_and_deleting_a_successor_withdraws_one(see: See) -> None:
    start_ns = time.time_ns() - 60 * SECOND_NS
    see(start_ns=start_ns, resource_uuid=SLICE, user_label="cuda:0", sender=POD)
    see(start_ns=start_ns + 9 * SECOND_NS, resource_uuid=SLICE, user_label="cuda:0", sender=NEXT_POD)
    sync_registry()
    old, new = ResourceContext.objects.order_by("attached_at")

    new.delete()
    old.refresh_from_db()
    assert (old.detached_at, old.ended_by) == (None, "")

    old.detached_at = old.last_seen
    old.save()
    sync_registry()
    old.refresh_from_db()
    assert (old.detached_at, old.ended_by) == (old.last_seen, EndedBy.OPERATOR)


def test_an_open_context_that_only_operators_told_of_stays_open(see: See) -> None:
    see(resource_uuid=SLICE)
    sync_registry()
    told = ResourceContext.objects.create(
        resource=ComputeResource.objects.get(), pod="batch-1", attached_at=to_datetime(time.time_ns() - 9 * SILENCE_NS)
    )
    see(resource_uuid=SLICE, user_label="cuda:0", sender=POD)
    sync_registry()

    told.refresh_from_db()
    assert told.detached_at is None
