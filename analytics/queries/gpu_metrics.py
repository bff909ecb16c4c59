"""How was a GPU, or a whole card, used over a range of time? Its readings and the spans that held it, by buckets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analytics.buckets import usual_width_seconds
from analytics.queries.gpu_readings import finite
from analytics.span_rows import GPU_READINGS
from analytics.times import NS_PER_SECOND
from axonize.clickhouse import client as clickhouse
from registry.models import ComputeResource
from registry.times import to_nanoseconds

DEFAULT_MAX_POINTS: Final = 1000
MAX_POINTS: Final = 10_000

# All readings are one array, for six functions take ClickHouse longer to plan than one that works on each element.
_FINITE: Final = f"arrayMap(reading -> if(isFinite(reading), reading, NULL), [{', '.join(GPU_READINGS)}])"
# Of the readings of one bucket: a function's states, and what merges them. All of them pass over nulls.
AGGREGATES: Final = {
    "avg": (f"avgForEachState({_FINITE})", "avgForEachMergeIf"),
    "max": (f"maxForEachState({_FINITE})", "maxForEachMergeIf"),
    "min": (f"minForEachState({_FINITE})", "minForEachMergeIf"),
    "last": (
        f"argMaxForEachState({_FINITE}, arrayWithConstant({len(GPU_READINGS)}, time))",
        "argMaxForEachMergeIf",
    ),
}
# What a card's slices sum up to. The rest makes an average, for one slice has no more of it than another.
_SUMMED: Final = frozenset({"memory_used_gb", "memory_total_gb", "power_watts"})

# Each span counts in its first and in its last bucket only, however many lie between; running sums do the rest. Spans
# of the same two buckets are one row before they are doubled. A reading is of the span's end: of a span that only the
# range's end cuts off, it goes with the end into the bucket after the last, which nobody sees.
_BY_RESOURCE_SQL: Final = """
SELECT
    resource_uuid, bucket, sumIf(spans, is_first) AS began, sumIf(spans, NOT is_first) AS ended,
    max(last_read_ns) AS read_ns, {merge}(states, NOT is_first) AS readings
FROM
(
    SELECT
        resource_uuid,
        intDiv(greatest(toUnixTimestamp64Nano(span_start_time), {{start_ns:Int64}}), {{step_ns:Int64}}) AS first_bucket,
        if(
            time < fromUnixTimestamp64Nano({{end_ns:Int64}}, 'UTC'),
            intDiv(toUnixTimestamp64Nano(time), {{step_ns:Int64}}),
            {{bucket_after:Int64}}) AS last_bucket,
        countIf(is_first_of_span) AS spans,
        toUnixTimestamp64Nano(max(time)) AS last_read_ns,
        {state} AS states
    FROM gpu_metrics
    WHERE tenant = {{tenant:String}}
        AND {resources}
        AND time >= fromUnixTimestamp64Nano({{start_ns:Int64}}, 'UTC')
        AND span_start_time < fromUnixTimestamp64Nano({{end_ns:Int64}}, 'UTC')
    GROUP BY resource_uuid, first_bucket, last_bucket
)
ARRAY JOIN [first_bucket, last_bucket] AS bucket, [true, false] AS is_first
GROUP BY resource_uuid, bucket
"""
_ONE_RESOURCE: Final = "resource_uuid = {resource_uuid:String}"

# Which card counts is what operators set, then what the span says, then what the registry knows. gpu_sightings is tiny,
# and its UUIDs are what the sort key of gpu_metrics finds.
_OF_CARD: Final = """
resource_uuid IN
(
    SELECT arrayJoin({slices:Array(String)})
    UNION ALL
    SELECT resource_uuid FROM gpu_sightings WHERE tenant = {tenant:String} AND physical_uuid = {physical_uuid:String}
)
AND if(
    physical_uuid = ''
        OR dictGet({registry:String}, 'set_physical_uuid', ({tenant:String}, toString(resource_uuid))) != '',
    has({slices:Array(String)}, resource_uuid),
    physical_uuid = {physical_uuid:String})
"""
# Nothing counts twice: what the card itself has read counts before its slices' readings, of compute instances in one
# GPU instance, which share its memory, the one that has most, and of a slice of an old layout nothing in a bucket in
# which a slice was read after it was seen last.
_BY_CARD_SQL: Final = """
SELECT bucket, sum(slice.began) AS began, sum(slice.ended) AS ended, [{combined}] AS readings
FROM
(
    SELECT
        *,
        {values},
        resource_uuid = {{physical_uuid:String}} AS is_card,
        transform(resource_uuid, {{slices:Array(String)}}, {{instances:Array(String)}}, resource_uuid) AS instance,
        transform(resource_uuid, {{slices:Array(String)}}, {{retired_ns:Array(Int64)}}, 0) AS gone_ns,
        gone_ns > 0 AND gone_ns < max(read_ns) OVER (PARTITION BY bucket) AS is_old
    FROM ({by_resource})
) AS slice
GROUP BY bucket
ORDER BY bucket
"""
_COMBINED: Final = """
    if(
        countIf(is_card AND NOT is_old AND isNotNull({name})) > 0,
        anyIf({name}, is_card AND NOT is_old),
        {of_slices})"""
_SUM: Final = """if(
            countIf(NOT is_old AND isNotNull({name})) > 0,
            arraySum(mapValues(maxMapIf(
                map(instance, assumeNotNull({name})), NOT is_card AND NOT is_old AND isNotNull({name})))),
            NULL)"""
_AVERAGE: Final = "avgIf({name}, NOT is_card AND NOT is_old)"


# Its number, the active spans, the readings.
Bucket = tuple[int, int, dict[str, float | None]]


@dataclass(frozen=True, slots=True)
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
    by_resource = _by_resource(_ONE_RESOURCE, aggregate)
    parameters = {"tenant": tenant, "resource_uuid": resource_uuid}
    buckets = _buckets(f"{by_resource} ORDER BY bucket", parameters, start_ns, end_ns, step_seconds)
    return _points(buckets, resource_uuid, step_seconds)


def physical_gpu_metrics(
    *, tenant: str, physical_uuid: str, start_ns: int, end_ns: int, step_seconds: int, aggregate: str
) -> list[GpuPoint]:
    """Return the points of a card, as gpu_metrics() does of one resource; `resource_uuid` is the card's UUID.

    Of each bucket a slice's readings become one by `aggregate`. Used and total memory and power are the sums of these,
    utilization, temperature and clock their averages, over the slices that have one in the bucket; where the card
    itself has one, that alone counts. Slices in one GPU instance count once, and of slices of an old layout none in a
    bucket that has later ones. `active_spans` is the sum over the slices: a span that holds two counts twice. A span's
    slice is on the card that the span names, where it names none on the registry's. One statement and one query.
    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    known = ComputeResource.objects.of_tenant(tenant).filter(physical__uuid=physical_uuid)
    rows = [] if "\0" in physical_uuid else list(known.values_list("uuid", "gi_id", "retired_at", "last_seen"))
    parameters = {
        "tenant": tenant,
        "physical_uuid": physical_uuid,
        "slices": [uuid for uuid, *_ in rows],
        "instances": [uuid if gi_id is None else f"GPU instance {gi_id}" for uuid, gi_id, *_ in rows],
        "retired_ns": [to_nanoseconds(seen) if retired and seen else 0 for _, _, retired, seen in rows],
    }
    combined = ",".join(
        _COMBINED.format(name=f"{name}_value", of_slices=of_slices.format(name=f"{name}_value"))
        for name in GPU_READINGS
        for of_slices in [_SUM if name in _SUMMED else _AVERAGE]
    )
    values = ", ".join(f"readings[{place}] AS {name}_value" for place, name in enumerate(GPU_READINGS, start=1))
    sql = _BY_CARD_SQL.format(by_resource=_by_resource(_OF_CARD, aggregate), values=values, combined=combined)
    return _points(_buckets(sql, parameters, start_ns, end_ns, step_seconds), physical_uuid, step_seconds)


def _by_resource(resources: str, aggregate: str) -> str:
    """Return the SQL of each resource's buckets, of the resources that a condition on gpu_metrics chooses."""
    state, merge = AGGREGATES[aggregate]
    return _BY_RESOURCE_SQL.format(state=state, merge=merge, resources=resources)


def _buckets(
    sql: str, parameters: Mapping[str, object], start_ns: int, end_ns: int, step_seconds: int
) -> Iterator[Bucket]:
    if start_ns >= end_ns:
        return iter(())
    step_ns = step_seconds * NS_PER_SECOND
    bucket_after = -(-end_ns // step_ns)
    bounds = {"start_ns": start_ns, "end_ns": end_ns, "step_ns": step_ns, "bucket_after": bucket_after}
    return _with_silent_buckets(clickhouse.query(sql, {**bounds, **parameters}), bucket_after)


def _points(buckets: Iterable[Bucket], resource_uuid: str, step_seconds: int) -> list[GpuPoint]:
    step_ns = step_seconds * NS_PER_SECOND
    return [
        GpuPoint(resource_uuid=resource_uuid, timestamp_ns=bucket * step_ns, active_spans=active_spans, **readings)
        for bucket, active_spans, readings in buckets
    ]


def _finite_readings(values: Sequence[float | None]) -> dict[str, float | None]:
    """Return the readings by name; there are no values where the bucket has no reading at all."""
    return {name: finite(value) for name, value in zip(GPU_READINGS, values, strict=False)}


def _with_silent_buckets(rows: Iterable[Mapping[str, Any]], bucket_after: int) -> Iterator[Bucket]:
    """Yield the buckets before `bucket_after`, also those between rows in which spans only went on."""
    previous, active_spans = 0, 0
    for row in rows:
        if active_spans:
            for silent in range(previous + 1, row["bucket"]):
                yield silent, active_spans, {}
        if row["bucket"] == bucket_after:
            return
        active_spans += row["began"]
        yield row["bucket"], active_spans, _finite_readings(row["readings"])
        active_spans -= row["ended"]
        previous = row["bucket"]
