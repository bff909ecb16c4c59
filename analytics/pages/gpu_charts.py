"""What a GPU measured over a range of time, as charts."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from analytics.buckets import Buckets, usual_width_seconds
from analytics.pages.charts import Chart, Line, time_edges
from analytics.pages.gpu_subject import Subject
from analytics.pages.window import Window
from analytics.queries.gpu_metrics import GpuPoint, gpu_metrics, physical_gpu_metrics

MAX_POINTS: Final = 120
NO_READINGS: Final = (
    "No reading in this range. Spans carry them as gpu.0.utilization and the like; of a MIG slice NVML tells none."
)


def points_of(subject: Subject, window: Window) -> tuple[list[GpuPoint], Buckets]:
    """Return what the GPU measured, averages, and the buckets that it is of. One query, of a card one statement too."""
    width = usual_width_seconds(window.start_ns, window.end_ns, most=MAX_POINTS)
    asked: dict[str, Any] = {
        "tenant": subject.tenant,
        "start_ns": window.start_ns,
        "end_ns": window.end_ns,
        "step_seconds": width,
        "aggregate": "avg",
    }
    points = (
        physical_gpu_metrics(physical_uuid=subject.uuid, **asked)
        if subject.is_card
        else gpu_metrics(resource_uuid=subject.uuid, **asked)
    )
    return points, Buckets(window.start_ns, window.end_ns, width)


def gpu_charts(points: Sequence[GpuPoint], buckets: Buckets, *, memory_total_gb: float | None) -> list[Chart]:
    """Return the charts; where no bucket has a reading there is a gap, and no span is active where none is told of."""
    by_start = {point.timestamp_ns: point for point in points}
    edges = time_edges(buckets)

    def values(read: Callable[[GpuPoint], float | None], missing: float | None = None) -> list[float | None]:
        return [read(by_start[start]) if start in by_start else missing for start in buckets.starts_ns]

    total_gb = memory_total_gb or max((point.memory_total_gb or 0.0 for point in points), default=0.0)
    used = Line("used", values(lambda point: point.memory_used_gb), "2")
    active = values(lambda point: point.active_spans, 0 if points else None)
    return [
        Chart(
            *("utilization", "Utilisation", "percent", edges),
            [Line("utilisation", values(lambda point: point.utilization))],
            highest=100,
            nothing=NO_READINGS,
        ),
        Chart("memory", "Memory used", "gib", edges, [used], highest=total_gb or None, nothing=NO_READINGS),
        Chart(
            *("power", "Power", "watts", edges),
            [Line("power", values(lambda point: point.power_watts), "4")],
            nothing=NO_READINGS,
        ),
        Chart(
            *("temperature", "Temperature", "celsius", edges),
            [Line("temperature", values(lambda point: point.temperature_celsius), "3")],
            nothing=NO_READINGS,
        ),
        Chart(
            *("spans", "Active spans", "count", edges),
            [Line("active", active, "5")],
            kind="bars",
            nothing="No span ran on it in this range.",
        ),
    ]
