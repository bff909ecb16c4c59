"""What a GPU costs in a range: the time that spans held it, by their models, and the idle rest, at its price."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from analytics.pages.window import Window
from analytics.queries.gpus import Gpu
from analytics.queries.held_time import held_time, held_time_by_model
from analytics.times import NS_PER_HOUR, NS_PER_MINUTE


@dataclass(frozen=True)
class Line:
    """A part of the time, in nanoseconds and as a share of 0 to 1 of it, and what it costs, None without a price."""

    name: str
    held_ns: int
    share: float
    cost_usd: Decimal | None


@dataclass(frozen=True)
class Bill:
    """Of `range_ns` nanoseconds, of which spans held the GPU `busy_ns`; the price is of an hour, None if unknown.

    `busy` and `idle` add up to `total`, and so do the lines, where it is told which models it was held for.
    """

    range_ns: int
    price: Decimal | None
    busy_ns: int
    held_ns_by_model: Mapping[str, int] = field(default_factory=dict)

    @property
    def lines(self) -> list[Line]:
        """What spans of each model held, most first; of those that name none under ""."""
        held = sorted(self.held_ns_by_model.items(), key=lambda each: (-each[1], each[0]))
        return [self._line(name, held_ns) for name, held_ns in held]

    @property
    def busy(self) -> Line:
        return self._line("busy", self.busy_ns)

    @property
    def idle(self) -> Line:
        return self._line("idle", max(self.range_ns - self.busy_ns, 0))

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


@dataclass(frozen=True)
class Period:
    """The part of a range that has come already: of a time to come nobody knows whether it will be idle.

    Held time is known by the minute, and of a minute that is cut, a part is taken. Of the present one all there is has
    been held before now, so `held_until_ns` is its end.
    """

    start_ns: int
    end_ns: int
    held_until_ns: int

    @property
    def range_ns(self) -> int:
        return self.end_ns - self.start_ns


def period_of(window: Window) -> Period:
    """Return what of a range a bill is of."""
    now_ns = time.time_ns()
    end_ns = max(window.start_ns, min(window.end_ns, now_ns))
    is_on = window.end_ns > now_ns - NS_PER_MINUTE
    return Period(window.start_ns, end_ns, end_ns + -end_ns % NS_PER_MINUTE if is_on else end_ns)


def bills_of(tenant: str, gpus: Sequence[Gpu], period: Period) -> dict[str, Bill]:
    """Return the bill of each by its UUID. One query."""
    held = held_time(
        tenant=tenant,
        resource_uuids=[gpu.resource_uuid for gpu in gpus],
        start_ns=period.start_ns,
        end_ns=period.held_until_ns,
    )
    return {gpu.resource_uuid: _bill(gpu, period, held.get(gpu.resource_uuid, 0)) for gpu in gpus}


def bill_by_model(tenant: str, gpu: Gpu, period: Period) -> Bill:
    """Return the bill with its lines. One query."""
    by_model = held_time_by_model(
        tenant=tenant, resource_uuid=gpu.resource_uuid, start_ns=period.start_ns, end_ns=period.held_until_ns
    )
    return replace(_bill(gpu, period, sum(by_model.values())), held_ns_by_model=by_model)


def _bill(gpu: Gpu, period: Period, busy_ns: int) -> Bill:
    """Return the bill; of what is retired only of the time in which spans held it."""
    return Bill(period.range_ns if gpu.retired_at is None else busy_ns, gpu.cost_per_hour_usd, busy_ns)
