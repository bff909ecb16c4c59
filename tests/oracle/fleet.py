"""Draws the GPUs of a data set: what each is, how much of that its spans send, and what operations entered."""

import random
from dataclasses import dataclass, field
from decimal import Decimal

from tests.oracle.records import READINGS, Card, Gpu, Resource

CARD_FACTS = {
    "GPU-a": {"model": "H100", "vendor": "NVIDIA", "node_id": "node-1"},
    "GPU-b": {"model": "MI300", "vendor": "AMD", "node_id": "node-2"},
    "GPU-f": {"model": "H100", "vendor": "NVIDIA", "node_id": "node-1"},
    "GPU-g": {"model": "A100", "vendor": "", "node_id": "node-3"},
}
# resource, card, type, GiB
RESOURCES = (
    ("MIG-a1", "GPU-a", "mig_1g.10gb", 9.75),
    ("MIG-a2", "GPU-a", "mig_3g.40gb", 39.5),
    ("MIG-a3", "GPU-a", "mig_2g.20gb", 19.5),
    ("GPU-b", "GPU-b", "full_gpu", 192.0),
    ("GPU-f", "GPU-f", "full_gpu", 80.0),
    ("MIG-g1", "GPU-g", "mig_2g.20gb", 19.5),
    ("MIG-x", "", "", 10.0),
)
SENT_TEXTS = ("physical_uuid", "model", "vendor", "node_id", "resource_type")


@dataclass(frozen=True)
class Unit:
    """A resource as its spans describe it: `texts` are its facts, `chances` how often each is sent."""

    uuid: str
    texts: dict[str, str]
    memory_total_gb: float | None
    chances: dict[str, float] = field(default_factory=dict)
    lies: frozenset[str] = frozenset()


def draw_fleet(dice: random.Random, tenant: int) -> tuple[list[Unit], list[Card], list[Resource]]:
    """Return what spans may run on, and the registry's cards and resources.

    All spans of a resource agree on a fact, or operations entered another, so what the registry says is never a race.
    """
    cards = {uuid: _card(dice, tenant, uuid) for uuid in CARD_FACTS if dice.random() < 0.6}
    units, entered = [], []
    for uuid, card, kind, memory_gb in RESOURCES:
        own = None
        if card in cards and dice.random() < 0.7:
            has_memory, has_type = dice.random() < 0.5, dice.random() < 0.5
            own = Resource(tenant, uuid, card, kind if has_type else "", memory_gb if has_memory else None)
            entered.append(own)
        known = {
            "physical_uuid": own is not None,
            "resource_type": own is not None and own.resource_type != "",
            **{
                name: card in cards and own is not None and getattr(cards[card], name) != ""
                for name in CARD_FACTS["GPU-a"]
            },
        }
        lies = frozenset(name for name in SENT_TEXTS if known[name] and dice.random() < 0.25)
        texts = {"physical_uuid": card, "resource_type": kind, **CARD_FACTS.get(card, {})}
        chances = {name: dice.choice((0.0, 0.5, 1.0)) for name in SENT_TEXTS}
        units.append(Unit(uuid, texts, memory_gb if dice.random() < 0.7 else None, chances, lies))
    return units, list(cards.values()), entered


def draw_gpu(dice: random.Random, unit: Unit, number: int) -> Gpu:
    texts = {
        name: f"{text}-{unit.uuid}-old" if name in unit.lies and dice.random() < 0.5 else text
        for name, text in unit.texts.items()
        if text and dice.random() < unit.chances[name]
    }
    uuid = unit.uuid
    if texts.get("physical_uuid") == uuid and dice.random() < 0.3:
        uuid = ""  # a whole card may be named by its card alone
    if dice.random() < 0.03:  # nobody knows which
        uuid, texts = "", {name: text for name, text in texts.items() if name in ("node_id", "model")}
    return Gpu(
        number=number,
        resource_uuid=uuid,
        user_label=dice.choice(("", "cuda:0", "cuda:1", "mps:0")),
        readings=_readings(dice, unit),
        **texts,
    )


def _card(dice: random.Random, tenant: int, uuid: str) -> Card:
    texts = {name: text if dice.random() < 0.5 else "" for name, text in CARD_FACTS[uuid].items()}
    memory_gb = dice.choice((None, 80.0, 192.0))
    price = dice.choice((None, Decimal("2.85"), Decimal("0.123456"), Decimal(0)))
    return Card(tenant, uuid, memory_total_gb=memory_gb, cost_per_hour_usd=price, **texts)


def _readings(dice: random.Random, unit: Unit) -> dict[str, float]:
    """Return what was measured: all, some, nothing, or NVML's five zeros for a slice."""
    kind = dice.random()
    if kind < 0.15:
        return {}
    if kind < 0.4:
        readings: dict[str, float] = dict.fromkeys(READINGS, 0)
    else:
        readings = {
            "utilization": dice.choice((0.0, 50.0, 100.0, round(dice.uniform(0, 100), 2))),
            "memory_used_gb": dice.choice((0.0, 8.0, round(dice.uniform(0, 80), 3))),
            "temperature_celsius": dice.choice((0, 40, dice.randrange(20, 95))),
            "power_watts": dice.choice((0, 100, dice.randrange(40, 700), 312.5)),
            "clock_mhz": dice.choice((0, 1410, dice.randrange(200, 2000))),
        }
    readings.pop("memory_total_gb", None)
    if unit.memory_total_gb is not None:
        readings["memory_total_gb"] = unit.memory_total_gb
    if kind > 0.8:
        readings = {name: value for name, value in readings.items() if dice.random() < 0.6}
    return readings
