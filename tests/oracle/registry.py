"""What the registry says of each resource: operations' word, and where they left a blank, what spans said of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal

from tests.oracle.records import Card, Dataset, Gpu, Resource, Span

Seen = list[tuple[Span, Gpu]]
PROFILE = re.compile(r"mig_(?P<profile>(?P<slices>[1-7])g\.(?P<memory_gb>[0-9]+)gb)")


@dataclass(frozen=True)
class Word:
    """The registry's word on one resource; texts are empty and numbers None where nobody said anything.

    `set_texts` are those that operations said, which count more than what a span says of its GPU.
    """

    resource_uuid: str = ""
    physical_uuid: str = ""
    model: str = ""
    vendor: str = ""
    node_id: str = ""
    resource_type: str = ""
    memory_total_gb: float | None = None
    set_texts: Mapping[str, str] = field(default_factory=dict)
    share: Decimal | None = None
    cost_per_hour_usd: Decimal | None = None

    @property
    def type_or_guess(self) -> str:
        return self.resource_type or ("full_gpu" if self.resource_uuid == self.physical_uuid else "mig")

    @property
    def mig_profile(self) -> str:
        match = PROFILE.fullmatch(self.resource_type)
        return match["profile"] if match else ""

    @property
    def sm_share(self) -> float | None:
        match = PROFILE.fullmatch(self.resource_type)
        return int(match["slices"]) / 7 if match else None


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
    physical = (
        entered.card
        or latest((span, gpu.physical_uuid) for span, gpu in own)
        or next((uuid for _, gpu in own if (uuid := card_of(gpu))), "")
    )
    card = cards.get(physical, Card(entered.tenant, physical))
    on_card = [(span, gpu) for span, gpu in seen if physical and card_of(gpu) == physical]
    whole = [(span, gpu) for span, gpu in on_card if gpu.resource == physical]
    word = Word(
        resource_uuid=entered.uuid,
        physical_uuid=physical,
        model=card.model or latest((s, g.model) for s, g in on_card) or latest((s, g.model) for s, g in own),
        vendor=card.vendor or latest((s, g.vendor) for s, g in on_card) or latest((s, g.vendor) for s, g in own),
        node_id=card.node_id or latest((s, g.node_id) for s, g in on_card) or latest((s, g.node_id) for s, g in own),
        resource_type=entered.resource_type or latest((span, gpu.resource_type) for span, gpu in own),
        memory_total_gb=entered.memory_total_gb or _memory(own),
        set_texts={
            "physical_uuid": entered.card,
            "resource_type": entered.resource_type,
            "model": card.model,
            "vendor": card.vendor,
            "node_id": card.node_id,
        },
    )
    match = PROFILE.fullmatch(word.resource_type)
    if word.memory_total_gb is None and match:
        word = replace(word, memory_total_gb=float(match["memory_gb"]))
    share = _share(word, card.memory_total_gb or _memory(whole))
    return replace(word, share=share, cost_per_hour_usd=_price(card.cost_per_hour_usd, share))


def card_of(gpu: Gpu) -> str:
    """Return the card that a span names; a resource that it calls no slice is one itself."""
    is_apple = gpu.user_label.startswith("mps:") and not gpu.resource_type and not gpu.resource.startswith("MIG-")
    return gpu.physical_uuid or (gpu.resource if gpu.resource_type == "full_gpu" or is_apple else "")


def _share(word: Word, card_memory_gb: float | None) -> Decimal | None:
    if word.type_or_guess == "full_gpu":
        return Decimal(1)
    if word.memory_total_gb is None or card_memory_gb is None:
        return None
    return min(Decimal(1), Decimal(str(word.memory_total_gb)) / Decimal(str(card_memory_gb)))


def _price(card_price: Decimal | None, share: Decimal | None) -> Decimal | None:
    """Return the share of the card's price, rounded half up to a millionth of a dollar."""
    if card_price is None or share is None:
        return None
    return (card_price * share).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def latest(said: Iterable[tuple[Span, str]]) -> str:
    """Return what was said last, by the spans' ends, of what is not blank."""
    return max(((span.end_ns, text) for span, text in said if text), default=(0, ""))[1]


def _memory(seen: Seen) -> float | None:
    return max(
        ((span.end_ns, total) for span, gpu in seen if (total := gpu.known("memory_total_gb"))), default=(0, None)
    )[1]
