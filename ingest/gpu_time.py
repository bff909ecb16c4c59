"""Shares the time of each GPU out among the spans that held it, which is what they cost where they do not say so.

Of a moment in which several spans hold a resource each has an equal part. So the parts add up to the time that it was
held at all, and with the time that nobody held it to all the time there is. Minutes are shared out one by one, anew
whenever a span is written that held the resource then; the last time counts.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from axonize.clickhouse.client import BACKGROUND_SETTINGS, command, query, server_now_ms
from axonize.clickhouse.retention import first_minute_of_gpu_metrics
from ingest.upkeep import RUN_SECONDS

NS_PER_MINUTE: Final = 60 * 10**9
# As many at once as their spans have room in memory; a change is of a batch, a resource and a span of minutes.
MOST_MINUTES_AT_ONCE: Final = 60
MOST_CHANGES_AT_ONCE: Final = 50_000
MOST_SPANS_AT_ONCE: Final = 3_000_000

# Each span is two events, one that it came and one that it went, within the minute. In the order of time, a holder
# alone gains all the time between two of them, one of two the half; a span has what was gained from the one event to
# the other. What was shared out before and is no more, for its trace was deleted, becomes 0.
_SHARE_OUT: Final = """
INSERT INTO gpu_time_updates
SELECT
    tenant, resource_uuid, minute,
    event.facet AS facet,
    event.trace_id AS trace_id,
    min(event.span_start_time) AS span_start_time,
    max(event.span_end_time) AS span_end_time,
    event.has_cost AS has_cost,
    sum(-event.change * gained) AS held_ns,
    {version:UInt64} AS version
FROM
(
    SELECT
        tenant, resource_uuid, minute,
        arraySort(event -> event.at_ns, groupArrayArray(CAST(
            [
                (
                    greatest(start_ns, minute * {minute_ns:Int64}), 1,
                    facet, trace_id, has_cost, span_start_time, span_end_time
                ),
                (
                    least(end_ns, (minute + 1) * {minute_ns:Int64}), -1,
                    facet, trace_id, has_cost, span_start_time, span_end_time
                )
            ],
            'Array(Tuple(
                at_ns Int64, change Int8, facet UInt64, trace_id FixedString(16), has_cost Bool,
                span_start_time DateTime64(9, ''UTC''), span_end_time DateTime64(9, ''UTC'')))'))) AS events,
        events.at_ns AS times,
        arrayCumSum(events.change) AS holders,
        arrayCumSum(arrayPushFront(
            arrayMap(
                (time, next, holders) -> if(holders > 0, (next - time) / holders, 0.),
                arrayPopBack(times), arrayPopFront(times), arrayPopBack(holders)),
            0.)) AS gains
    FROM
    (
        SELECT
            tenant, resource_uuid, facet, trace_id, has_cost, span_start_time,
            time AS span_end_time,
            toUnixTimestamp64Nano(span_start_time) AS start_ns,
            toUnixTimestamp64Nano(time) AS end_ns,
            arrayJoin(range(
                greatest(intDiv(start_ns, {minute_ns:Int64}), {first_minute:Int64}),
                least(intDiv(end_ns, {minute_ns:Int64}), {last_minute:Int64}) + 1)) AS minute
        FROM gpu_metrics
        WHERE is_first_of_span
            AND time >= fromUnixTimestamp64Nano({first_minute:Int64} * {minute_ns:Int64}, 'UTC')
            AND span_start_time < fromUnixTimestamp64Nano(({last_minute:Int64} + 1) * {minute_ns:Int64}, 'UTC')
            AND {wanted_resources}
    )
    WHERE {wanted}
    GROUP BY tenant, resource_uuid, minute
)
ARRAY JOIN events AS event, gains AS gained
GROUP BY tenant, resource_uuid, minute, facet, trace_id, has_cost
UNION ALL
SELECT
    tenant, resource_uuid, minute, facet,
    toFixedString('', 16) AS trace_id,
    toDateTime64(0, 9, 'UTC') AS span_start_time,
    toDateTime64(0, 9, 'UTC') AS span_end_time,
    true AS has_cost,
    0. AS held_ns,
    {version:UInt64} AS version
FROM gpu_time
WHERE minute BETWEEN {first_minute:Int64} AND {last_minute:Int64} AND {wanted}
GROUP BY tenant, resource_uuid, minute, facet
"""
_CHANGES: Final = """
FROM gpu_time_changes
WHERE written_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND written_at <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
"""
_CHANGED_RESOURCES: Final = f"(tenant, resource_uuid) IN (SELECT tenant, resource_uuid {_CHANGES})"
_CHANGED: Final = f"""
(tenant, resource_uuid, toInt64(minute)) IN (
    SELECT
        tenant, resource_uuid,
        arrayJoin(range(
            greatest(toInt64(first_minute), {{first_minute:Int64}}),
            least(toInt64(last_minute), {{last_minute:Int64}}) + 1)) AS minute
    {_CHANGES}
)"""


def share_out_changes(*, of_last_ms: int) -> None:
    """Share out the minutes in which GPUs were held by what was written in the last so many milliseconds.

    They are of ClickHouse's clock. Raises ClickHouseUnavailable, ClickHouseError; a repetition does no harm.
    """
    now_ms = server_now_ms()
    bounds = {"from_ms": now_ms - of_last_ms, "until_ms": now_ms}
    minutes = query(
        f"""
        SELECT arrayJoin(range(first_minute, last_minute + 1)) AS minute, count() AS weight
        {_CHANGES}
        GROUP BY minute
        ORDER BY minute
        """,
        bounds,
        settings={"max_result_rows": 0},
    )
    for first, last in stretches(_kept(minutes), most=MOST_CHANGES_AT_ONCE):
        _share_out(first, last, wanted=_CHANGED, wanted_resources=_CHANGED_RESOURCES, parameters=bounds)


def share_out_all() -> Iterator[float]:
    """Share out all minutes there are; yield the share, up to 1, that is done.

    Raises ClickHouseUnavailable, ClickHouseError; a repetition does no harm.
    """
    minutes = query(
        """
        SELECT
            arrayJoin(range(
                toUInt32(intDiv(toUnixTimestamp(span_start_time), 60)),
                toUInt32(intDiv(toUnixTimestamp(time), 60)) + 1)) AS minute,
            count() AS weight
        FROM gpu_metrics
        GROUP BY minute
        ORDER BY minute
        """,
        settings={"max_result_rows": 0},
    )
    found = list(stretches(_kept(minutes), most=MOST_SPANS_AT_ONCE))
    for number, (first, last) in enumerate(found, start=1):
        _share_out(first, last, wanted="true", wanted_resources="true", parameters={})
        yield number / len(found)


def stretches(minutes: Iterable[tuple[int, int]], *, most: int) -> Iterator[tuple[int, int]]:
    """Return the first and the last of those minutes, in order, that are shared out together: an hour's at most.

    Each comes with its weight, of which `most` come together where that is more than one minute.

    >>> list(stretches([(1, 5), (2, 5), (4, 3), (60, 1), (61, 1)], most=10))
    [(1, 2), (4, 61)]
    """
    first = last = weights = 0
    for minute, weight in minutes:
        if weights and (weights + weight > most or minute - first >= MOST_MINUTES_AT_ONCE):
            yield first, last
            weights = 0
        first = first if weights else minute
        last, weights = minute, weights + weight
    if weights:
        yield first, last


def _kept(rows: Iterable[Mapping[str, int]]) -> Iterator[tuple[int, int]]:
    """Return the minutes, and their weights, of which every snapshot is there.

    One that is older has been shared out while they all were, and what is left of it is no ground to do so again.
    """
    first = first_minute_of_gpu_metrics()
    return ((row["minute"], row["weight"]) for row in rows if row["minute"] >= first)


def _share_out(
    first_minute: int, last_minute: int, *, wanted: str, wanted_resources: str, parameters: Mapping[str, object]
) -> None:
    command(
        _SHARE_OUT.replace("{wanted_resources}", wanted_resources).replace("{wanted}", wanted),
        {
            **parameters,
            "first_minute": first_minute,
            "last_minute": last_minute,
            "minute_ns": NS_PER_MINUTE,
            "version": server_now_ms(),
        },
        settings={
            "max_execution_time": RUN_SECONDS,
            "max_threads": 1,
            # one block, so that what a minute's parts are is seen all at once
            "min_insert_block_size_rows": 2**31,
            "min_insert_block_size_bytes": 0,
            **BACKGROUND_SETTINGS,
        },
    )
