"""What the API must answer about how long traces and spans took: in all, by size, by time and by group."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.oracle.grouping import groups_of, spans_of
from tests.oracle.measures import buckets, mean, ms, percentile, time_text, usual_seconds
from tests.oracle.model import Model
from tests.oracle.records import Span
from tests.oracle.traces import TraceFilters

MOST_BUCKETS = 120
MOST_GROUPS = 50
MOST_POINTS = 10_000
SUMMARY = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99}
SERIES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
# ISO 3's R10 series
STEPS = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
EDGES_MS = [0.0, *(float(f"{step}e{power}") for power in range(-3, 13) for step in STEPS)]


@dataclass(frozen=True)
class Element:
    """A trace or a span with the value that is asked for, and those of its spans that meet the filters."""

    start_ns: int
    value_ms: float
    matching: list[Span]


def elements(model: Model, of: str, wanted: TraceFilters) -> list[Element]:
    if of == "trace":
        return [
            Element(trace.start_ns, ms(trace.duration_ns), model.matching_spans(trace, wanted))
            for trace in model.matching(wanted)
        ]
    value_ms: Callable[[Span], float | None] = {
        "span": lambda span: ms(span.duration_ns),
        "ttft": lambda span: span.ttft_ms,
        "queue": lambda span: span.queue_ms,
    }[of]
    return [
        Element(span.start_ns, value, [span])
        for span in spans_of(model, wanted)
        if (value := value_ms(span)) is not None
    ]


def latency(model: Model, of: str, group_by: str | None, bucket: int | None, wanted: TraceFilters) -> Any:
    """Return the answer, or the name of the parameter that asks for too much."""
    start_ns, end_ns = wanted.range
    width = bucket or usual_seconds(start_ns, end_ns, MOST_BUCKETS)
    found = elements(model, of, wanted)
    values = [element.value_ms for element in found]
    groups = _groups(model, found, group_by)
    stretches = list(buckets(start_ns, end_ns, width))
    if len(stretches) * len(groups) > MOST_POINTS:
        return "bucket"
    return {
        "summary": {
            "count": len(values),
            "avg_ms": mean(values),
            "min_ms": min(values, default=None),
            "max_ms": max(values, default=None),
            **{name: percentile(values, share) for name, share in SUMMARY.items()},
        },
        "histogram": histogram(values),
        "series": [
            {
                "timestamp": time_text(first_ns),
                **({} if group is None else {"group": group}),
                **_point([element.value_ms for element in members if first_ns <= element.start_ns < last_ns]),
            }
            for first_ns, last_ns in stretches
            for group, members in groups
        ],
        "start": time_text(start_ns),
        "end": time_text(end_ns),
        "bucket_seconds": width,
    }


def _groups(model: Model, found: Sequence[Element], group_by: str | None) -> list[tuple[str | None, list[Element]]]:
    """Return the largest groups with their members, largest first; without `group_by` one group of all."""
    if group_by is None:
        return [(None, list(found))]
    members: dict[str | None, list[Element]] = {}
    for element in found:
        for group in {group for span in element.matching for group in groups_of(model, span, group_by)}:
            members.setdefault(group, []).append(element)
    by_traffic = sorted(members, key=lambda group: (-len(members[group]), group or ""))
    return [(group, members[group]) for group in by_traffic[:MOST_GROUPS]]


def _point(values: Sequence[float]) -> dict[str, Any]:
    return {"count": len(values), **{name: percentile(values, share) for name, share in SERIES.items()}}


def histogram(values: Sequence[float]) -> list[dict[str, Any]]:
    """Return the buckets from the first to the last that holds a value."""
    counted = [
        {"from_ms": low, "to_ms": high, "count": sum(low <= value < high for value in values)}
        for low, high in itertools.pairwise(EDGES_MS)
    ]
    filled = [at for at, bucket in enumerate(counted) if bucket["count"]]
    return counted[filled[0] : filled[-1] + 1] if filled else []
