"""What spans of a trace cost that did not say so: each its part of what the trace pays for the GPUs that they held."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from analytics.gpu_json import resource_uuids
from analytics.tree import Places

UNSENT = b"null"


def span_costs(
    gpus: Sequence[bytes], sent: Sequence[bytes], places: Places, cost_of: Mapping[bytes, float]
) -> dict[int, float]:
    """Return by position what those spans cost, in USD, that sent no cost and held a GPU that has a price.

    Args:
        gpus: each span's `gpus`, as analytics.gpu_json.resource_uuids takes it.
        sent: the JSON text of what each span said that it costs.
        places: when each was.
        cost_of: what the trace pays for each resource, whose uuids are JSON texts.

    Of a moment in which several spans held a resource each pays an equal part, as traces do among each other.

    """
    holders: dict[bytes, list[int]] = {}
    for at, (array, cost) in enumerate(zip(gpus, sent, strict=True)):
        if cost == UNSENT:
            for resource in resource_uuids(array) & cost_of.keys():
                holders.setdefault(resource, []).append(at)
    costs: dict[int, float] = {}
    for resource, spans in holders.items():
        parts = _parts([places.start_ns[at] for at in spans], [places.end_ns[at] for at in spans])
        whole = sum(parts)
        for at, part in zip(spans, parts, strict=True):
            costs[at] = costs.get(at, 0.0) + (cost_of[resource] * part / whole if whole else 0.0)
    return costs


def _parts(start_ns: Sequence[int], end_ns: Sequence[int]) -> list[float]:
    """Return how much each interval has of the time that any of them covers: of what several cover equal parts."""
    changes = sorted([(moment, 1) for moment in start_ns] + [(moment, -1) for moment in end_ns])
    moments = [moment for moment, _ in changes]
    counts = list(accumulate(change for _, change in changes))[:-1]
    gains = accumulate(
        (
            (after - before) / count if count else 0.0
            for (before, after), count in zip(pairwise(moments), counts, strict=True)
        ),
        initial=0.0,
    )
    gained = dict(zip(moments, gains, strict=True))
    return [gained[end] - gained[start] for start, end in zip(start_ns, end_ns, strict=True)]
