"""How was a GPU used over a range of time? Its readings and the spans that held it, by buckets of time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from analytics.buckets import usual_width_seconds
from analytics.queries.gpu_readings import finite
from analytics.span_rows import GPU_READINGS
from analytics.times import NS_PER_SECOND
from axonize.clickhouse import client as clickhouse

DEFAULT_MAX_POINTS: Final = 1000
MAX_POINTS: Final = 10_000

AGGREGATES: Final = {
    "avg": "avgIf({reading}, is_reading)",
    "max": "maxIf({reading}, is_reading)",
    "min": "minIf({reading}, is_reading)",
    "last": "argMaxIf({reading}, time, is_reading)",
}

# Each span counts in its first and in its last bucket only, however many lie between; running sums do the rest.
# A reading is of the span's end, which may lie after the range while the span held the resource within it.
_SQL: Final = """
WITH NOT is_first AND time < fromUnixTimestamp64Nano({{end_ns:Int64}}, 'UTC') AS is_reading
SELECT bucket, countIf(is_first) AS began, countIf(NOT is_first) AS ended, {aggregates}
FROM
(
    SELECT
        time,
        intDiv(greatest(toUnixTimestamp64Nano(span_start_time), {{start_ns:Int64}}), {{step_ns:Int64}}) AS first_bucket,
        intDiv(least(toUnixTimestamp64Nano(time), {{end_ns:Int64}} - 1), {{step_ns:Int64}}) AS last_bucket,
        {finite_readings}
    FROM gpu_metrics
    WHERE tenant = {{tenant:String}}
        AND resource_uuid = {{resource_uuid:String}}
        AND time >= fromUnixTimestamp64Nano({{start_ns:Int64}}, 'UTC')
        AND span_start_time < fromUnixTimestamp64Nano({{end_ns:Int64}}, 'UTC')
)
ARRAY JOIN [first_bucket, last_bucket] AS bucket, [true, false] AS is_first
GROUP BY bucket
ORDER BY bucket
"""


@dataclass(frozen=True)
class GpuPoint:
    """One bucket of time: its readings (percent, GiB, °C, W, MHz), None where unknown, and the spans active in it."""

    resource_uuid: str
    timestamp_ns: int
    active_spans: int
    utilization: float | None = None
    memory_used_gb: float | None = None
    memory_total_gb: float | None = None
    temperature_celsius: float | None = None
    power_watts: float | None = None
    clock_mhz: float | None = None


def default_step_seconds(start_ns: int, end_ns: int) -> int:
    """Return the narrowest usual bucket with which [start_ns, end_ns) has at most DEFAULT_MAX_POINTS; days at last."""
    return usual_width_seconds(start_ns, end_ns, most=DEFAULT_MAX_POINTS - 1)


def point_count(start_ns: int, end_ns: int, step_seconds: int) -> int:
    """Return how many buckets, aligned to 1970 UTC, the range [start_ns, end_ns) touches."""
    step_ns = step_seconds * NS_PER_SECOND
    return -(-end_ns // step_ns) - start_ns // step_ns


def gpu_metrics(
    *, tenant: str, resource_uuid: str, start_ns: int, end_ns: int, step_seconds: int, aggregate: str
) -> list[GpuPoint]:
    """Return the points of [start_ns, end_ns), oldest first: each bucket that has a reading or an active span.

    Buckets are aligned to 1970 UTC, so the first may begin before the range; it tells only what is within. A span is
    active from its start to its end, both included. `aggregate` is a key of AGGREGATES. One query.
    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    if start_ns >= end_ns:
        return []
    step_ns = step_seconds * NS_PER_SECOND
    aggregates = (f"{AGGREGATES[aggregate].format(reading=f'finite_{name}')} AS {name}_value" for name in GPU_READINGS)
    finite_readings = (f"if(isFinite({name}), {name}, NULL) AS finite_{name}" for name in GPU_READINGS)
    rows = clickhouse.query(
        _SQL.format(aggregates=", ".join(aggregates), finite_readings=", ".join(finite_readings)),
        {
            "tenant": tenant,
            "resource_uuid": resource_uuid,
            "start_ns": start_ns,
            "end_ns": end_ns,
            "step_ns": step_ns,
        },
    )
    return [
        GpuPoint(resource_uuid=resource_uuid, timestamp_ns=bucket * step_ns, active_spans=active_spans, **readings)
        for bucket, active_spans, readings in _with_silent_buckets(rows)
    ]


def _with_silent_buckets(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, int, dict[str, float | None]]]:
    """Yield (bucket, active spans, readings), also for the buckets between rows in which spans only went on."""
    previous, active_spans = 0, 0
    for row in rows:
        if active_spans:
            for silent in range(previous + 1, row["bucket"]):
                yield silent, active_spans, {}
        active_spans += row["began"]
        yield row["bucket"], active_spans, {name: finite(row[f"{name}_value"]) for name in GPU_READINGS}
        active_spans -= row["ended"]
        previous = row["bucket"]
