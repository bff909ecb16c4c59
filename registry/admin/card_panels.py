"""What stands below a card's form: its slices, the retired ones apart, who holds them and who did."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.db.models import Prefetch, QuerySet

from registry.admin.base import Panel
from registry.admin.links import ago, filtered_list, page_of, uuid_text
from registry.models import ComputeResource, PhysicalGPU, ResourceContext

_ENDED_SHOWN: Final = 20


def card_panels(card: PhysicalGPU) -> Iterator[Panel]:
    slices = ComputeResource.objects.filter(physical=card)
    yield Panel(
        "What processes can run on",
        ("UUID", "type", "memory", "held by", "last seen"),
        _slices(slices.filter(retired_at=None)),
        empty="No slice of this card is known: the next span that names one registers it.",
    )
    if retired := _slices(slices.retired()):
        yield Panel("Retired", ("UUID", "type", "memory", "held by", "last seen"), retired)
    contexts = ResourceContext.objects.filter(resource__physical=card).select_related("resource")
    yield Panel(
        "Who holds them now",
        ("holder", "slice", "since", "last seen"),
        [(*_held(context), ago(context.last_seen)) for context in contexts.open().newest_first()],
        empty="Nobody holds a slice of this card now.",
    )
    ended = contexts.exclude(detached_at=None).order_by("-detached_at", "-pk")[:_ENDED_SHOWN]
    yield Panel(
        "Who held them last",
        ("holder", "slice", "from", "to"),
        [(*_held(context), _moment(context.detached_at)) for context in ended],
        empty="Nobody has let go of a slice of this card yet.",
        more=filtered_list("resourcecontext", "All contexts of this card", resource__physical__id__exact=card.pk),
    )


def _slices(resources: QuerySet[ComputeResource]) -> list[tuple[object, ...]]:
    holders = Prefetch("contexts", ResourceContext.objects.open().newest_first(), to_attr="open_contexts")
    rows: QuerySet[Any] = resources.prefetch_related(holders).order_by("gi_id", "ci_id", "uuid")
    return [
        (
            page_of("computeresource", row.pk, uuid_text(row.uuid)),
            row.resource_type or None,
            None if row.memory_total_gb is None else f"{row.memory_total_gb:g} GiB",
            ", ".join(str(context) for context in row.open_contexts) or None,
            ago(row.last_seen),
        )
        for row in rows
    ]


def _held(context: ResourceContext) -> tuple[object, ...]:
    return (
        page_of("resourcecontext", context.pk, context),
        page_of("computeresource", context.resource_id, uuid_text(context.resource.uuid)),
        _moment(context.attached_at),
    )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
