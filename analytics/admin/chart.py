"""A small chart of the last hour, drawn here as SVG: the page needs no script and nothing from elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from django.template.loader import render_to_string

from analytics.admin.readings import AWAY
from analytics.queries.gpu_metrics import GpuPoint
from analytics.times import NS_PER_SECOND
from axonize.clickhouse.errors import ClickHouseError
from registry.admin.base import Panel
from registry.times import to_datetime

_STEP_SECONDS: Final = 120
_STEP_NS: Final = _STEP_SECONDS * NS_PER_SECOND
_BUCKETS: Final = 30
# The drawing's own units: a bucket is 20 wide. The page stretches it to the room there is.
_BUCKET_WIDTH: Final = 20
_HEIGHT: Final = 100
# Buckets without a reading that a line still bridges: traffic is not even.
_BRIDGED: Final = 2

Points = Callable[..., Sequence[GpuPoint]]


@dataclass(frozen=True)
class Dot:
    """One bucket with a reading: its left edge, where it is drawn, and what the pointer tells of it."""

    left: int
    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Curve:
    """One reading over the hour. `top` is the value at the upper edge, `lines` are the polylines between gaps."""

    name: str
    top: str
    latest: str
    summary: str
    dots: Sequence[Dot]
    lines: Sequence[str]


def chart_panel(points: Points) -> Panel:
    """Return the panel of the last hour; `points` takes start_ns, end_ns and step_seconds, as the API's queries do."""
    first_bucket = time.time_ns() // _STEP_NS - _BUCKETS + 1
    window = {"start_ns": first_bucket * _STEP_NS, "end_ns": (first_bucket + _BUCKETS) * _STEP_NS}
    try:
        found = points(**window, step_seconds=_STEP_SECONDS)
    except ClickHouseError:
        return Panel("The last hour", empty=AWAY)
    curves = list(_curves(found, first_bucket))
    if not curves:
        return Panel("The last hour", empty="No span of the last hour has a reading of it.")
    context = {"curves": curves, "width": _BUCKETS * _BUCKET_WIDTH, "height": _HEIGHT, "bucket_width": _BUCKET_WIDTH}
    return Panel("The last hour", html=render_to_string("analytics/admin/chart.html", context))


def _curves(points: Sequence[GpuPoint], first_bucket: int) -> Iterator[Curve]:
    totals = [point.memory_total_gb for point in points if point.memory_total_gb is not None]
    for name, field, unit, top in (
        ("Utilization", "utilization", "%", 100.0),
        ("Memory used", "memory_used_gb", "GiB", max(totals, default=0.0)),
        ("Power", "power_watts", "W", 0.0),
    ):
        readings = {
            point.timestamp_ns // _STEP_NS - first_bucket: value
            for point in points
            if (value := getattr(point, field)) is not None
        }
        if readings:
            yield _curve(name, unit, max(top, *readings.values()) or 1.0, readings, first_bucket)


def _curve(name: str, unit: str, top: float, readings: dict[int, float], first_bucket: int) -> Curve:
    dots = {
        bucket: Dot(
            left=bucket * _BUCKET_WIDTH,
            x=(bucket + 0.5) * _BUCKET_WIDTH,
            y=round(_HEIGHT * (1 - max(value, 0.0) / top), 2),
            title=f"{to_datetime((first_bucket + bucket) * _STEP_NS):%H:%M} UTC: {_round(value)} {unit}",
        )
        for bucket, value in sorted(readings.items())
    }
    values = list(readings.values())
    summary = f"between {_round(min(values))} and {_round(max(values))} {unit}"
    latest = readings[max(readings)]
    return Curve(
        name=name,
        top=f"{_round(top)} {unit}",
        latest=f"{_round(latest)} {unit}",
        summary=summary,
        dots=list(dots.values()),
        lines=[" ".join(f"{dots[bucket].x},{dots[bucket].y}" for bucket in run) for run in _runs(list(dots))],
    )


def _round(value: float) -> str:
    """Return three digits, for more of them tell nothing on a small chart."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  three digits


def _runs(buckets: Sequence[int]) -> Iterator[list[int]]:
    """Divide the buckets, in order, where more than a few are missing between two."""
    run = list(buckets[:1])
    for previous, bucket in pairwise(buckets):
        if bucket - previous > _BRIDGED + 1:
            yield run
            run = []
        run.append(bucket)
    yield run
