"""What spans cost that did not say so: of each moment in which a GPU was held, equal parts for those that held it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from tests.oracle.measures import HOUR_NS, MINUTE_NS
from tests.oracle.records import Span
from tests.oracle.registry import NOTHING, Word

Registry = Mapping[str, Word]
# By the place of a span among all, by resource and by minute, for how many nanoseconds it paid.
Parts = dict[tuple[int, str, int], Fraction]

ROUND_UP = Fraction(501, 1000)
TRILLIONTH = 10**12


def parts_of(spans: Sequence[Span]) -> Parts:
    parts: Parts = defaultdict(Fraction)
    for resource in {uuid for span in spans for uuid in span.resources}:
        held = [(at, span) for at, span in enumerate(spans) if resource in span.resources]
        ends = {moment for _, span in held for moment in (span.start_ns, span.end_ns)}
        minutes = {minute * MINUTE_NS for _, span in held for minute in range(*minutes_of(span.start_ns, span.end_ns))}
        for begin, end in pairwise(sorted(ends | minutes)):
            holders = [at for at, span in held if span.start_ns <= begin and span.end_ns >= end]
            for at in holders:
                parts[at, resource, begin // MINUTE_NS] += Fraction(end - begin, len(holders))
    return parts


def minutes_of(start_ns: int, end_ns: int) -> tuple[int, int]:
    """Return the first minute and the one after the last, as range() takes them."""
    return start_ns // MINUTE_NS, end_ns // MINUTE_NS + 1


def trace_costs(spans: Sequence[Span], of_trace: Sequence[int], parts: Parts, registry: Registry) -> dict[str, float]:
    """Return what a trace, whose spans' places these are, pays for each resource that has a price."""
    costs: dict[str, float] = {}
    for resource in sorted({uuid for at in of_trace for uuid in spans[at].resources}):
        price = registry.get(resource, NOTHING).cost_per_hour_usd
        if price is not None:
            held = sum(
                part for (at, uuid, _), part in parts.items()
                if uuid == resource and at in of_trace and spans[at].cost_usd is None
            )  # fmt: skip
            if held:
                costs[resource] = int(held + ROUND_UP) * float(price) / HOUR_NS
    return costs


def total(costs: Mapping[str, float]) -> Decimal | None:
    return Decimal(int(sum(costs.values()) * TRILLIONTH)) / TRILLIONTH if costs else None


def span_costs(spans: Sequence[Span], costs: Mapping[str, float]) -> dict[int, float]:
    """Return what the spans of one trace, by their places among these, have of what it pays."""
    unsent = [at for at, span in enumerate(spans) if span.cost_usd is None]
    parts = parts_of([spans[at] for at in unsent])
    shared: dict[int, float] = {}
    for resource, cost in costs.items():
        own = {
            at: sum(part for (place, uuid, _), part in parts.items() if (place, uuid) == (number, resource))
            for number, at in enumerate(unsent)
            if resource in spans[at].resources
        }
        whole = sum(own.values())
        for at, part in own.items():
            shared[at] = shared.get(at, 0.0) + (cost * float(part / whole) if whole else 0.0)
    return shared


def range_cost(
    spans: Sequence[Span], wanted: Iterable[int], parts: Parts, registry: Registry, start_ns: int, end_ns: int
) -> float | None:
    """Return what the GPU time of spans at these places costs; of a minute that the range cuts, its part."""
    cost: float | None = None
    chosen = set(wanted)
    for (at, resource, minute), part in parts.items():
        within = min((minute + 1) * MINUTE_NS, end_ns) - max(minute * MINUTE_NS, start_ns)
        price = registry.get(resource, NOTHING).cost_per_hour_usd
        if at in chosen and within > 0 and part > 0 and price is not None:
            paid = part if spans[at].cost_usd is None else 0
            cost = (cost or 0.0) + float(paid * within / MINUTE_NS) * float(price) / HOUR_NS
    return cost
