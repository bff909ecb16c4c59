"""What the registry says of each resource: operations' word, and where they left a blank, what spans said of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tests.oracle.records import Card, Dataset, Gpu, Resource, Span

Seen = list[tuple[Span, Gpu]]


@dataclass(frozen=True)
class Word:
    """The registry's word on one resource; texts are empty and numbers None where nobody said anything."""

    resource_uuid: str = ""
    physical_uuid: str = ""
    model: str = ""
    vendor: str = ""
    node_id: str = ""
    resource_type: str = ""
    memory_total_gb: float | None = None
    card_memory_total_gb: float | None = None
    cost_per_hour_usd: Decimal | None = None


NOTHING = Word()


def words(dataset: Dataset, tenant: int) -> dict[str, Word]:
    """Return the word on each resource that was entered or seen; it outlives the traces that it was seen in."""
    seen = [(span, gpu) for span in dataset.sent if span.tenant == tenant for gpu in span.gpus if gpu.resource]
    entered = {each.uuid: each for each in dataset.resources if each.tenant == tenant}
    cards = {each.uuid: each for each in dataset.cards if each.tenant == tenant}
    uuids = {gpu.resource for _, gpu in seen} | entered.keys()
    return {
        uuid: _word(
            entered.get(uuid, Resource(tenant, uuid)),
            [(span, gpu) for span, gpu in seen if gpu.resource == uuid],
            cards,
            seen,
        )
        for uuid in uuids
    }


def _word(entered: Resource, own: Seen, cards: dict[str, Card], seen: Seen) -> Word:
    physical = entered.card or latest((span, gpu.physical_uuid) for span, gpu in own)
    card = cards.get(physical, Card(entered.tenant, physical))
    on_card = [(span, gpu) for span, gpu in seen if physical and gpu.physical_uuid == physical]
    whole = [(span, gpu) for span, gpu in on_card if gpu.resource == physical]
    return Word(
        resource_uuid=entered.uuid,
        physical_uuid=physical,
        model=card.model or latest((s, g.model) for s, g in on_card) or latest((s, g.model) for s, g in own),
        vendor=card.vendor or latest((s, g.vendor) for s, g in on_card) or latest((s, g.vendor) for s, g in own),
        node_id=card.node_id or latest((s, g.node_id) for s, g in on_card) or latest((s, g.node_id) for s, g in own),
        resource_type=entered.resource_type or latest((span, gpu.resource_type) for span, gpu in own),
        memory_total_gb=entered.memory_total_gb or _memory(own),
        card_memory_total_gb=card.memory_total_gb or _memory(whole),
        cost_per_hour_usd=card.cost_per_hour_usd,
    )


def latest(said: Iterable[tuple[Span, str]]) -> str:
    """Return what was said last, by the spans' ends, of what is not blank."""
    return max(((span.end_ns, text) for span, text in said if text), default=(0, ""))[1]


def _memory(seen: Seen) -> float | None:
    return max(
        ((span.end_ns, total) for span, gpu in seen if (total := gpu.known("memory_total_gb"))), default=(0, None)
    )[1]
