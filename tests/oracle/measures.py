"""The arithmetic of the answers, as naive as it goes: percentiles, intervals, buckets of time, texts of times."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
USUAL_SECONDS = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Interval = tuple[int, int]


def time_text(ns: int) -> str:
    seconds, rest = divmod(ns, SECOND_NS)
    return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def ms(ns: float) -> float:
    return ns / 1e6


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the value at (n - 1)·share of the sorted ones, between two of them on the straight line."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def covered(intervals: Sequence[Interval]) -> int:
    """Return the length that any of the intervals covers: piece by piece between all their ends."""
    ends = sorted({end for interval in intervals for end in interval})
    return sum(
        right - left
        for left, right in itertools.pairwise(ends)
        if any(start <= left and right <= end for start, end in intervals)
    )


def usual_seconds(start_ns: int, end_ns: int, most: int) -> int:
    """Return the narrowest usual width of which `most` hold the range; beyond a day, whole days."""
    width = next((width for width in USUAL_SECONDS if width * SECOND_NS * most >= end_ns - start_ns), None)
    if width is None:
        width = math.ceil((end_ns - start_ns) / SECOND_NS / most / 86_400) * 86_400
    return width


def buckets(start_ns: int, end_ns: int, width_seconds: int) -> Iterator[Interval]:
    """Yield the stretches of time, aligned to 1970 UTC, that [start, end) touches, whole."""
    width_ns = width_seconds * SECOND_NS
    begin = start_ns - start_ns % width_ns
    while begin < end_ns:
        yield begin, begin + width_ns
        begin += width_ns


def bucket_count(start_ns: int, end_ns: int, width_seconds: int) -> int:
    width_ns = width_seconds * SECOND_NS
    return -(-end_ns // width_ns) - start_ns // width_ns if end_ns > start_ns else 0
