"""Brings trace_summaries up to traces: of each trace that was written to, the row that it has by now.

The rows are differences: what is there with weight -1, what should be there with weight 1, and nothing where the two
agree. So it does not matter how often a trace is looked at, nor what a run that died has left behind: the next one that
looks at the trace puts it right.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from axonize.clickhouse.client import BACKGROUND_SETTINGS, command, query, server_now_ms
from axonize.clickhouse.deletion import delete_traces
from axonize.clickhouse.gpu_times import held_by_resource
from ingest.upkeep import RUN_SECONDS

MOST_TRACES_AT_ONCE: Final = 100_000

# `traces` has several rows a trace: sums and unions over them are the trace. Of the intervals in which a resource was
# held, those that overlap count once: sorted by resource and start, each adds what lies after all before it.
_SUMMARIZE: Final = """
INSERT INTO trace_updates
SELECT
    tenant, start_time, trace_id, version, total AS weight, written_at, end_time, duration_ns, status, span_count,
    error_count, shape, flow, service_name, environment, root_span_name, models, gpu_count, gpu_time_ns, tokens_input,
    tokens_output, cost_usd, gpu_times, facets, operations,
    fromUnixTimestamp64Milli({run_ms:Int64}, 'UTC') AS run
FROM
(
    SELECT
        *,
        sum(weight) OVER same AS total,
        -- the one with its facets, where what is there by now has the same version as what was there before
        row_number() OVER same AS number
    FROM
    (
        SELECT
            tenant, start_time, trace_id,
            sipHash64(
                tenant, trace_id, start_time, end_time, span_count, error_count, root, models, gpu_count, gpu_time_ns,
                tokens_input, tokens_output, ifNull(cost_usd, -1), gpu_times, facets) AS version,
            toInt64(1) AS weight,
            fromUnixTimestamp64Milli({run_ms:Int64}, 'UTC') AS written_at,
            end_time,
            toUInt64(toUnixTimestamp64Nano(end_time) - toUnixTimestamp64Nano(start_time)) AS duration_ns,
            CAST(
                multiIf(error_count > 0, 2, root.status = 1, 1, 0),
                'Enum8(''unset'' = 0, ''ok'' = 1, ''error'' = 2)') AS status,
            span_count, error_count,
            sipHash64(facets) AS shape,
            sipHash64(operations) AS flow,
            root.service_name AS service_name,
            root.environment AS environment,
            root.name AS root_span_name,
            models,
            length(arrayDistinct(intervals.resource)) AS gpu_count,
            arrayFold(
                (union, interval) -> if(
                    interval.resource = union.2,
                    (
                        union.1 + greatest(0, interval.end_ns - greatest(union.3, interval.start_ns)),
                        interval.resource,
                        greatest(union.3, interval.end_ns)
                    ),
                    (union.1 + interval.end_ns - interval.start_ns, interval.resource, interval.end_ns)),
                intervals,
                (toInt64(0), toUInt64(0), toInt64(0))).1 AS gpu_time_ns,
            tokens_input, tokens_output, cost_usd, gpu_times, facets, operations
        FROM
        (
            SELECT
                tenant, trace_id,
                min(traces.start_time) AS start_time,
                max(traces.end_time) AS end_time,
                sum(traces.span_count) AS span_count,
                sum(traces.error_count) AS error_count,
                argMinMerge(first) AS root,
                arraySort(groupUniqArrayArray(traces.models)) AS models,
                arraySort(arrayFilter(
                    interval -> interval.resource != sipHash64(''),
                    groupArrayArray(gpu_intervals))) AS intervals,
                sum(traces.tokens_input) AS tokens_input,
                sum(traces.tokens_output) AS tokens_output,
                sum(traces.cost_usd) AS cost_usd,
                {gpu_times} AS gpu_times,
                arraySort(groupUniqArrayArray(traces.facets)) AS facets,
                arraySort(groupUniqArrayArray(traces.operations)) AS operations
            FROM traces
            WHERE {wanted}
            GROUP BY tenant, trace_id
            HAVING span_count > 0
        )
        UNION ALL
        SELECT
            tenant, start_time, trace_id, version, -trace_summaries.weight AS weight, written_at, end_time, duration_ns,
            status, span_count, error_count, shape, flow, service_name, environment, root_span_name, models, gpu_count,
            gpu_time_ns, tokens_input, tokens_output, cost_usd, gpu_times, [] AS facets, [] AS operations
        FROM trace_summaries
        WHERE {wanted}
            AND superseded_at = 0
    )
    WINDOW same AS (
        PARTITION BY trace_id, version
        ORDER BY empty(facets)
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
WHERE total != 0 AND number = 1
"""
# All trace ids are gone through for those that changed: to look up an id alone first takes half of what the pair takes.
_CHANGES: Final = """
    FROM trace_changes
    WHERE written_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND written_at <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
"""
_CHANGED: Final = f"""
trace_id IN (SELECT trace_id {_CHANGES})
AND (tenant, trace_id) IN (SELECT tenant, trace_id {_CHANGES})"""
_GPU_TIMES: Final = held_by_resource("groupUniqArrayArray(traces.gpu_time)")
_OF_PART: Final = "sipHash64(trace_id) % {parts:UInt64} = {number:UInt64}"

_NEXT_CHANGES: Final = """
SELECT
    toUnixTimestamp64Milli(max(written_at)) AS until_ms,
    count() AS changes,
    groupUniqArrayIf(
        (tenant, lower(hex(trace_id))),
        (tenant, trace_id) IN (SELECT tenant, trace_id FROM deleted_traces)) AS deleted
FROM
(
    SELECT tenant, trace_id, written_at
    FROM trace_changes
    WHERE written_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    ORDER BY written_at
    LIMIT {most:UInt64}
)
"""


def summarize_changes(*, of_last_ms: int) -> None:
    """Bring up to date the traces written to in the last so many milliseconds, by ClickHouse's clock.

    What was deleted and came again is deleted again.
    Raises ClickHouseUnavailable, ClickHouseError; a repetition does no harm.
    """
    from_ms = server_now_ms() - of_last_ms
    while True:
        (changes,) = query(_NEXT_CHANGES, {"from_ms": from_ms, "most": MOST_TRACES_AT_ONCE})
        if not changes["changes"]:
            return
        for tenant, trace_id in changes["deleted"]:
            delete_traces(tenant=tenant, trace_ids=[trace_id])
        _summarize(_CHANGED, {"from_ms": from_ms, "until_ms": changes["until_ms"]})
        from_ms = changes["until_ms"] + 1


def summarize_all() -> Iterator[float]:
    """Bring up to date every trace there is, a part of them at a time; yield the share, up to 1, that is done.

    Raises ClickHouseUnavailable, ClickHouseError; a repetition does no harm.
    """
    (stored,) = query("SELECT count() AS rows FROM traces")
    parts = stored["rows"] // MOST_TRACES_AT_ONCE + 1
    for number in range(parts):
        _summarize(_OF_PART, {"parts": parts, "number": number})
        yield (number + 1) / parts


def _summarize(wanted: str, parameters: Mapping[str, object]) -> None:
    run = {"run_ms": server_now_ms()}
    command(
        _SUMMARIZE.replace("{wanted}", wanted).replace("{gpu_times}", _GPU_TIMES),
        {**parameters, **run},
        settings={
            "max_execution_time": RUN_SECONDS,
            "max_threads": 1,
            # One block, so that no reader sees a trace whose old row is gone and whose new one is not there yet.
            "min_insert_block_size_rows": 2**31,
            "min_insert_block_size_bytes": 0,
            "parallel_view_processing": 0,
            **BACKGROUND_SETTINGS,
        },
    )
    # Last, for a list as of this run has to find all of it.
    command("INSERT INTO summary_runs SELECT fromUnixTimestamp64Milli({run_ms:Int64}, 'UTC')", run)
