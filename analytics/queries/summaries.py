"""What is this trace as a whole? Its summary, from all of its spans."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from analytics.gpu_json import resource_uuids
from analytics.queries.prices import added
from analytics.tree import NO_PARENT, Places

SUMMARY_COLUMNS: Final = (
    "status",
    "service_name",
    "environment",
    "name",
    "model_name",
    "gpus",
    "tokens_input",
    "tokens_output",
    "cost_usd",
)


@dataclass(frozen=True)
class TraceSummary:
    """A trace. Times and durations in nanoseconds; texts and status as of its root, of the earliest span without one.

    `gpu_time_ns` sums, over the resources, how long each was held by any span; `cost_usd` is None where nobody
    knows any.
    """

    trace_id: str
    start_ns: int
    end_ns: int
    service_name: str
    environment: str
    root_span_name: str
    status: str
    span_count: int
    error_count: int
    models: list[str]
    gpu_count: int
    gpu_time_ns: int
    tokens_input: int
    tokens_output: int
    cost_usd: Decimal | None

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns


def summarize(
    trace_id: str, columns: Mapping[str, Sequence[bytes]], places: Places, gpu_cost_usd: float | None
) -> TraceSummary:
    """Return the summary of a trace of which these are all spans, the same as the one that lists show.

    `columns` are SUMMARY_COLUMNS of `spans`, as axonize.clickhouse.json_rows reads them; `gpu_cost_usd` is what the
    spans cost together that sent no cost, None where nobody knows.
    """
    # as the column `first` of `traces` picks it
    ranks = [
        (parent_id != NO_PARENT, start_ns, span_id)
        for parent_id, start_ns, span_id in zip(places.parent_ids, places.start_ns, places.span_ids, strict=True)
    ]
    root = ranks.index(min(ranks))
    errors = columns["status"].count(b'"error"')
    held = _held(columns["gpus"], places)
    costs = [Decimal(text.decode()) for text in columns["cost_usd"] if text != b"null"]
    return TraceSummary(
        trace_id=trace_id,
        start_ns=min(places.start_ns),
        end_ns=max(places.end_ns),
        service_name=json.loads(columns["service_name"][root]),
        environment=json.loads(columns["environment"][root]),
        root_span_name=json.loads(columns["name"][root]),
        status="error" if errors else json.loads(columns["status"][root]),
        span_count=len(places),
        error_count=errors,
        models=sorted(json.loads(text) for text in set(columns["model_name"]) if text != b'""'),
        gpu_count=len(held),
        gpu_time_ns=sum(map(_union_ns, held.values())),
        tokens_input=_sum(columns["tokens_input"]),
        tokens_output=_sum(columns["tokens_output"]),
        cost_usd=added(
            sum(costs, start=Decimal(0)) if costs else None,
            None if gpu_cost_usd is None else Decimal(str(gpu_cost_usd)),
        ),
    )


def _held(gpus: Iterable[bytes], places: Places) -> dict[bytes, list[tuple[int, int]]]:
    """Return by resource the intervals in which spans held it."""
    held: dict[bytes, list[tuple[int, int]]] = {}
    for array, start_ns, end_ns in zip(gpus, places.start_ns, places.end_ns, strict=True):
        for resource in resource_uuids(array):
            held.setdefault(resource, []).append((start_ns, end_ns))
    return held


def _union_ns(intervals: list[tuple[int, int]]) -> int:
    total, until = 0, 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total


def _sum(numbers: Iterable[bytes]) -> int:
    return sum(int(text) for text in numbers if text != b"null")
