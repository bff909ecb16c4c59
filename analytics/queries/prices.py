"""What holding a GPU costs, at the registry's price of now, in SQL. It binds `tenant`, which the caller provides."""

from decimal import Decimal
from typing import Final

from analytics.times import NS_PER_HOUR


def price_of(resource_uuid: str) -> str:
    """Return the expression of a resource's price by the hour, in USD; null where it has none."""
    return f"dictGet({{registry:String}}, 'cost_per_hour_usd', ({{tenant:String}}, toString({resource_uuid})))"


def cost_of(resource_uuid: str, held_ns: str) -> str:
    """Return the expression of what it costs, in USD, to hold a resource so long; null where it has no price."""
    return f"({held_ns} * toFloat64({price_of(resource_uuid)}) / {NS_PER_HOUR})"


# Of a row of trace_summaries: what its spans said, and what the GPUs cost that the others held; null if nobody knows.
# Sums that pass over nulls, for what a condition repeats is planned, and asked of the registry, each time.
TRACE_COST: Final = f"""
    arrayReduce('sumOrNull', [
        cost_usd,
        toDecimal128(
            arrayReduce('sumOrNull', arrayMap(one -> {cost_of("one.resource_uuid", "one.held_ns")}, gpu_times)),
            12)])"""


def added(sent: Decimal | None, of_gpus: Decimal | None) -> Decimal | None:
    """Return the sum of those that are known."""
    return of_gpus if sent is None else sent + (of_gpus or 0)
