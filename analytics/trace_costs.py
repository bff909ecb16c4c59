"""What a trace pays for the GPUs that it held, from its rows of `traces` and the registry's prices of now.

In Python, for it is some numbers, and in SQL the same is nested so deep that ClickHouse plans it for 10 ms.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import floor

from analytics.times import NS_PER_HOUR
from axonize.clickhouse.gpu_times import ROUND_UP


def trace_costs(
    gpu_time: Iterable[tuple[str, int, int, float]], prices: Mapping[str, Decimal | float | None]
) -> dict[str, float]:
    """Return by resource_uuid, sorted, what holding it costs the trace, in USD; one without a price is left out.

    Args:
        gpu_time: resource_uuid, minute, version and held_ns, all that the trace's rows have: of a minute several
            versions, of which the last counts.
        prices: of each resource by the hour, in USD.

    """
    last = {(resource, minute): held_ns for resource, minute, _, held_ns in sorted(gpu_time)}
    held: dict[str, float] = {}
    for (resource, _), held_ns in last.items():
        held[resource] = held.get(resource, 0.0) + held_ns
    return {
        resource: floor(held_ns + ROUND_UP) * float(price) / NS_PER_HOUR
        for resource, held_ns in held.items()
        if held_ns and (price := prices.get(resource)) is not None
    }
