"""What is concluded about contexts is what a naive model says, whatever the order in which sightings come."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from registry.conclusions import conclude_contexts
from registry.models import EndedBy, ResourceContext
from registry.sightings import Sighting
from registry.upserts import record_sightings

pytestmark = pytest.mark.django_db

SILENCE = timedelta(seconds=settings.CONTEXT_SILENCE_SECONDS)
STEP = SILENCE / 3
# Steps before now; the last of them are recent enough for nobody to be silent.
STEPS = 12
RESOURCES = ("MIG-1", "MIG-2")
PODS = ("a", "b", "c")

sightings = st.lists(
    st.tuples(
        st.sampled_from(RESOURCES), st.sampled_from(PODS), st.integers(0, STEPS), st.integers(0, 3), st.integers(0, 9)
    ),
    min_size=1,
    max_size=12,
)


@dataclass(frozen=True)
class Hold:
    """Who held what from when to when, and why it ended; the naive model's context."""

    resource: str
    pod: str
    attached_at: datetime
    last_seen: datetime
    detached_at: datetime | None = None
    ended_by: str = ""


def sighting(resource: str, pod: str, first_seen: datetime, last_seen: datetime) -> Sighting:
    return Sighting(
        tenant="default",
        resource_uuid=resource,
        physical_uuid="",
        node_id="",
        user_label="cuda:0",
        hostname="",
        pod=pod,
        process_id=None,
        model="",
        vendor="",
        resource_type="",
        memory_total_gb=None,
        first_seen=first_seen,
        last_seen=last_seen,
        written_at_ms=0,
    )


def naive(seen: Sequence[Sighting], now: datetime) -> set[Hold]:
    """Return all contexts: for each holder of each resource from the first to the last sighting, then how it ended."""
    holds = []
    for resource, pod in {(s.resource_uuid, s.pod) for s in seen}:
        own = [s for s in seen if (s.resource_uuid, s.pod) == (resource, pod)]
        holds.append(Hold(resource, pod, min(s.first_seen for s in own), max(s.last_seen for s in own)))
    return {_ended(hold, holds, now) for hold in holds}


def _ended(hold: Hold, holds: Sequence[Hold], now: datetime) -> Hold:
    after = [
        other.attached_at
        for other in holds
        if other.resource == hold.resource
        and other.attached_at > hold.attached_at
        and hold.last_seen <= other.attached_at <= hold.last_seen + SILENCE
    ]
    if after:
        return replace(hold, detached_at=min(after), ended_by="successor")
    if hold.last_seen < now - SILENCE:
        return replace(hold, detached_at=hold.last_seen, ended_by="silence")
    return hold


def stored() -> set[Hold]:
    columns = ("resource__uuid", "pod", "attached_at", "last_seen", "detached_at", "ended_by")
    rows: list[tuple[Any, ...]] = list(ResourceContext.objects.values_list(*columns))
    assert len(rows) == len(set(rows))
    return {Hold(*row) for row in rows}


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=sightings, order=st.randoms(use_true_random=False))
def test_contexts_are_those_of_a_naive_model_whatever_the_order_and_however_often(drawn: list, order) -> None:  # type: ignore[no-untyped-def,type-arg]  # hypothesis' Random
    now = datetime.now(UTC)
    origin = now - STEPS * STEP - timedelta(seconds=30)
    seen = [
        sighting(resource, pod, origin + first * STEP, origin + min(first + steps, STEPS) * STEP + timedelta(seconds=s))
        for resource, pod, first, steps, s in drawn
    ]
    with transaction.atomic():
        arriving = seen + order.sample(seen, len(seen) // 2)
        order.shuffle(arriving)
        while arriving:
            size = order.randint(1, len(arriving))
            record_sightings(arriving[:size])
            arriving = arriving[size:]
        assert stored() == naive(seen, now)
        assert conclude_contexts() == 0, "nothing is left to conclude"
        record_sightings(seen)
        assert stored() == naive(seen, now)
        transaction.set_rollback(True)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=sightings, ended=st.integers(0, 11), at=st.integers(0, STEPS))
def test_what_operators_ended_stays_so_whatever_is_seen(
    drawn: list[tuple[str, str, int, int, int]], ended: int, at: int
) -> None:
    origin = datetime.now(UTC) - STEPS * STEP - timedelta(seconds=30)
    seen = [
        sighting(resource, pod, origin + first * STEP, origin + (first + steps) * STEP + timedelta(seconds=s))
        for resource, pod, first, steps, s in drawn
    ]
    with transaction.atomic():
        record_sightings(seen)
        context = list(ResourceContext.objects.order_by("pk"))[ended % ResourceContext.objects.count()]
        context.detached_at = max(context.attached_at, origin + at * STEP) + timedelta(microseconds=1)
        context.save()
        for each in (*seen, *reversed(seen)):
            record_sightings([each])
        kept = ResourceContext.objects.get(pk=context.pk)
        assert (kept.detached_at, kept.ended_by) == (context.detached_at, EndedBy.OPERATOR)
        again = ResourceContext.objects.filter(resource=kept.resource, pod=kept.pod).exclude(pk=kept.pk)
        assert all(other.attached_at >= context.detached_at for other in again)
        assert again.count() <= 1
        transaction.set_rollback(True)
