"""How long did a trace hold each resource, in SQL, for summaries; of one trace analytics.trace_costs does it."""

from typing import Final

# To whole nanoseconds: halves go up, also those that a float falls just short of, so that equal parts stay equal.
ROUND_UP: Final = 0.501


def held_by_resource(gpu_time: str) -> str:
    """Return the expression of Array(Tuple(resource_uuid, held_ns)), sorted, one for each resource.

    `gpu_time` is that of an array of all that `gpu_time` of `traces` says of one trace: of a minute several versions,
    of which the last counts, which is the last before another minute or resource.
    """
    in_order = f"arraySort({gpu_time})"
    last = f"""
        arrayFilter(
            (one, next) -> (one.resource_uuid, one.minute) != (next.1, next.2),
            {in_order}, arrayShiftLeft({in_order}, 1))"""
    held = f"arrayReduce('sumMap', [({last}).resource_uuid], [({last}).held_ns])"
    return f"""
        CAST(
            arrayZip(({held}).1, arrayMap(held_ns -> floor(held_ns + {ROUND_UP}), ({held}).2)),
            'Array(Tuple(resource_uuid LowCardinality(String), held_ns UInt64))')"""
