"""What a GPU costs in a range: the time that spans held it, by their models, and the idle rest, at its price."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from analytics.pages.window import Window
from analytics.queries.gpus import Gpu
from analytics.times import NS_PER_HOUR


@dataclass(frozen=True)
class Line:
    """A part of the time, in nanoseconds and as a share of 0 to 1 of it, and what it costs, None without a price."""

    name: str
    held_ns: int
    share: float
    cost_usd: Decimal | None


@dataclass(frozen=True)
class Bill:
    """Of `range_ns` nanoseconds, of which spans of some models held the GPU; the price is of an hour, None if unknown.

    The lines and `idle` add up to `total`.
    """

    range_ns: int
    price: Decimal | None
    held_ns_by_model: Mapping[str, int]

    @property
    def lines(self) -> list[Line]:
        """What spans of each model held, most first; of those that name none under ""."""
        held = sorted(self.held_ns_by_model.items(), key=lambda each: (-each[1], each[0]))
        return [self._line(name, held_ns) for name, held_ns in held]

    @property
    def busy(self) -> Line:
        return self._line("busy", sum(self.held_ns_by_model.values()))

    @property
    def idle(self) -> Line:
        return self._line("idle", max(self.range_ns - self.busy.held_ns, 0))

    @property
    def total(self) -> Line:
        return self._line("total", self.range_ns)

    def _line(self, name: str, held_ns: int) -> Line:
        cost = None if self.price is None else self.price * held_ns / NS_PER_HOUR
        return Line(name, held_ns, held_ns / self.range_ns if self.range_ns else 0.0, cost)


@dataclass(frozen=True)
class CardBill:
    """What a card costs in `range_ns` nanoseconds: its resources, at their prices, and what of it is no slice's."""

    range_ns: int
    price: Decimal | None
    of_gpus: Sequence[tuple[Gpu, Bill]]

    @property
    def rest_usd(self) -> Decimal | None:
        """What the card costs beyond its resources; None without a price, or where some resource has none."""
        priced = [bill.total.cost_usd for _, bill in self.of_gpus if bill.total.cost_usd is not None]
        if self.price is None or len(priced) < len(self.of_gpus):
            return None
        return max(self.price * self.range_ns / NS_PER_HOUR - sum(priced), Decimal(0))

    @property
    def total_usd(self) -> Decimal | None:
        """What its resources cost, and the rest; where some resource has no price, what the card costs."""
        if self.rest_usd is None:
            return None if self.price is None else self.price * self.range_ns / NS_PER_HOUR
        return self.rest_usd + sum(bill.total.cost_usd or Decimal(0) for _, bill in self.of_gpus)


def billed(window: Window) -> tuple[int, int]:
    """Return the part of a range that has come already: of a time to come nobody knows whether it will be idle."""
    return window.start_ns, max(window.start_ns, min(window.end_ns, time.time_ns()))
