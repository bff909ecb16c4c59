"""Histograms of latencies: their edges are the preferred numbers R10 of ISO 3, ten a decade, from a microsecond on."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from analytics.times import milliseconds

_R10: Final = (100, 125, 160, 200, 250, 315, 400, 500, 630, 800)
# A bucket begins at each: the first takes what is below a microsecond. The last begins at 317 years, which no duration
# reaches, and takes whatever else a span may have sent.
EDGES_NS: Final = (0, *(number * 10**decade for decade in range(1, 17) for number in _R10), 10**19)
EDGES_MS: Final = tuple(milliseconds(edge) for edge in EDGES_NS)


@dataclass(frozen=True)
class HistogramBucket:
    """How many values are in [from_ms, to_ms)."""

    from_ms: float
    to_ms: float
    count: int


def histogram_of(counts: Mapping[float, int]) -> list[HistogramBucket]:
    """Return the buckets, without gaps, from the first to the last that has values, by counts per edge in EDGES_MS."""
    if not counts:
        return []
    ends = (*EDGES_MS[1:], sys.float_info.max)
    return [
        HistogramBucket(from_ms, to_ms, counts.get(from_ms, 0))
        for from_ms, to_ms in zip(EDGES_MS, ends, strict=True)
        if min(counts) <= from_ms <= max(counts)
    ]
