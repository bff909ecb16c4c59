"""Who held a resource, when, and under what label."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from registry.models import ComputeResource, ResourceContext
from registry.sync import sync_registry
from registry.times import to_datetime
from tests.otlp import MILLISECOND_NS, SECOND_NS
from tests.registry.conftest import SLICE, See

pytestmark = pytest.mark.django_db

POD: dict[str, object] = {"host.name": "dgx-h100-02", "k8s.pod.name": "vllm-llama-70b-6f7c9", "process.pid": 1}
DAY_NS = 86_400 * SECOND_NS


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


def test_a_holder_unseen_for_a_day_has_left_at_its_last_sighting(see: See) -> None:
    start_ns = time.time_ns() - DETACH_AFTER // timedelta(microseconds=1) * 1000 - SECOND_NS
    see(start_ns=start_ns, resource_uuid=SLICE, user_label="cuda:0", sender=POD)

    for _ in range(2):  # the second run sees the same sighting again
        sync_registry()
        context = ResourceContext.objects.get()
        assert context.detached_at == context.last_seen == to_datetime(start_ns + 100 * MILLISECOND_NS)


def test_a_holder_seen_within_the_day_has_not_left(see: See) -> None:
    see(start_ns=time.time_ns() - DAY_NS // 2, resource_uuid=SLICE, user_label="cuda:0", sender=POD)
    sync_registry()

    assert ResourceContext.objects.get().detached_at is None
