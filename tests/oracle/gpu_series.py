"""What the API must answer about a GPU, or a card, over time: its readings and the spans that held it, by buckets."""

import itertools
from collections.abc import Sequence
from typing import Any

from tests.oracle.comparing import AnyOf
from tests.oracle.matching import gpu_text
from tests.oracle.measures import HOUR_NS, bucket_count, buckets, mean, time_text, usual_seconds
from tests.oracle.model import Model
from tests.oracle.records import READINGS, Gpu, Span

MOST_POINTS = 10_000
SUMMED = ("memory_used_gb", "memory_total_gb", "power_watts")
Snapshot = tuple[Span, Gpu]


def gpu_metrics(
    model: Model, uuid: str, start_ns: int | None, end_ns: int | None, step: int | None, aggregate: str, now_ns: int
) -> Any:
    """Return the answer, or the name of the parameter that asks for too much; the default is the last hour."""
    held = [(span, gpu) for span in model.spans for gpu in span.gpus if gpu.resource == uuid]
    answer = _metrics([held], uuid, start_ns, end_ns, step, aggregate, now_ns)
    return answer if isinstance(answer, str) else {**answer, "resource_uuid": uuid}


def card_metrics(
    model: Model, uuid: str, start_ns: int | None, end_ns: int | None, step: int | None, aggregate: str, now_ns: int
) -> Any:
    """Return the same over a card's slices: those that spans, or where they say nothing the registry, have on it."""
    held = [
        (span, gpu)
        for span in model.spans
        for gpu in span.gpus
        if gpu.resource and gpu_text(gpu, "physical_uuid", model.registry) == uuid
    ]
    slices = sorted({gpu.resource for _, gpu in held})
    by_slice = [[(span, gpu) for span, gpu in held if gpu.resource == each] for each in slices]
    card_at = slices.index(uuid) if uuid in slices else None
    answer = _metrics(by_slice, uuid, start_ns, end_ns, step, aggregate, now_ns, card_at)
    return answer if isinstance(answer, str) else {**answer, "physical_uuid": uuid}


def _metrics(
    slices: Sequence[Sequence[Snapshot]],
    uuid: str,
    start_ns: int | None,
    end_ns: int | None,
    step: int | None,
    aggregate: str,
    now_ns: int,
    card_at: int | None = None,
) -> dict[str, Any] | str:
    end_ns = now_ns if end_ns is None else end_ns
    start_ns = end_ns - HOUR_NS if start_ns is None else start_ns
    step = usual_seconds(start_ns, end_ns, 999) if step is None else step
    if bucket_count(start_ns, end_ns, step) > MOST_POINTS:
        return "step"
    points = []
    for bucket_start, bucket_end in buckets(start_ns, end_ns, step) if start_ns < end_ns else ():
        first_ns, last_ns = max(bucket_start, start_ns), min(bucket_end, end_ns) - 1
        active = [_active(snapshots, first_ns, last_ns) for snapshots in slices]
        if any(active):
            # a snapshot is of its span's end
            read = [[each for each in seen if first_ns <= each[0].end_ns <= last_ns] for seen in slices]
            points.append(
                {
                    "timestamp": time_text(bucket_start),
                    "resource_uuid": uuid,
                    **{
                        name: _combined([_values(each, name, aggregate) for each in read], name, card_at)
                        for name in READINGS
                    },
                    "active_spans": sum(active),
                }
            )
    return {"metrics": points, "start": time_text(start_ns), "end": time_text(end_ns), "step": step}


def _active(snapshots: Sequence[Snapshot], first_ns: int, last_ns: int) -> int:
    """Return how many spans ran at some moment from first to last, both included; a span names a GPU once or twice."""
    return len({id(span) for span, _ in snapshots if span.start_ns <= last_ns and span.end_ns >= first_ns})


def _values(read: Sequence[Snapshot], name: str, aggregate: str) -> list[float]:
    """Return what a slice's readings come to; of several last ones at one moment each is right, so all are named."""
    known = [(span.end_ns, value) for span, gpu in read if (value := gpu.known(name)) is not None]
    values = [value for _, value in known]
    if not values:
        return []
    match aggregate:
        case "avg":
            return [mean(values) or 0.0]
        case "max":
            return [max(values)]
        case "min":
            return [min(values)]
    return last_of(known)


def last_of(known: Sequence[tuple[int, float]]) -> list[float]:
    """Return the reading of the last moment, all of them where several are of that moment."""
    last_ns = max((at for at, _ in known), default=0)
    return [value for at, value in known if at == last_ns]


def _combined(slices: Sequence[Sequence[float]], name: str, card_at: int | None) -> AnyOf | None:
    """Return the sum or the average over the slices that have a reading, whichever of its readings each has.

    Where the card itself, which is at `card_at`, has one, that alone counts.
    """
    if card_at is not None and slices[card_at]:
        slices = [slices[card_at]]
    choices = list(itertools.product(*(values for values in slices if values)))
    if not choices[0]:
        return None
    return AnyOf(tuple(sum(values) if name in SUMMED else mean(values) for values in choices))
