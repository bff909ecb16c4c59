"""Drawing parameters: filters with values that occur together, time ranges, pages."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.query.values import SpanValues, TenantValues

HOUR, DAY = 3600, 86_400  # seconds
MONTH = 30 * DAY
RANGES = (900, HOUR, 6 * HOUR, DAY, 7 * DAY, MONTH)
ANALYTICS_FILTERS = ("service_name", "environment", "model_name", "resource_uuid", "physical_uuid", "node_id")
SPAN_FILTERS = (*ANALYTICS_FILTERS, "name")

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """What a question is drawn with: the dice, one tenant's values, and the time to which "now" refers."""

    dice: random.Random
    values: TenantValues
    now_s: float

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def span(self) -> SpanValues:
        return self.dice.choice(self.values.spans)

    def gpu(self) -> SpanValues:
        return self.dice.choice(self.values.gpus())

    def span_with(self, keys: Sequence[str]) -> SpanValues:
        """Return a span that has one of these attributes."""
        return self.dice.choice([span for span in self.values.spans if not span.attributes.keys().isdisjoint(keys)])


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def filters(by: Drawing, names: Sequence[str], counts: Sequence[int]) -> Parameters:
    """Return some of the filters with one span's values, so that together they find at least that span."""
    span = by.span()
    set_names = [name for name in names if getattr(span, name)]
    chosen = by.dice.sample(set_names, min(by.dice.choice(counts), len(set_names)))
    return {name: getattr(span, name) for name in chosen}


def since(by: Drawing, seconds: float) -> Parameters:
    """Return the range that ends now."""
    return {"start": rfc3339(by.now_s - seconds)}


def past(by: Drawing, seconds: float) -> Parameters:
    """Return a range of that length somewhere in the month."""
    end_s = by.now_s - by.dice.random() * (MONTH - seconds)
    return {"start": rfc3339(end_s - seconds), "end": rfc3339(end_s)}


def any_range(by: Drawing) -> Parameters:
    """Return no range, one that ends now, or one in the past."""
    way, seconds = by.dice.random(), by.dice.choice(RANGES)
    return {} if way < 0.4 else since(by, seconds) if way < 0.8 else past(by, seconds)


def day(by: Drawing) -> Parameters:
    """Return 24 hours: the last ones, which are the default, or some in the past."""
    return {} if by.chance(0.5) else past(by, DAY)


def page(by: Drawing, orders: Sequence[str]) -> Parameters:
    chosen: Parameters = {"limit": by.dice.choice((20, 50, 100))}
    if by.chance(0.4):
        chosen["order_by"] = by.dice.choice(("", "-")) + by.dice.choice(orders)
    if by.chance(0.25):
        chosen["offset"] = by.dice.choice((20, 100, 1000))
    return chosen
