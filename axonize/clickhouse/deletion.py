"""Deletes traces from every table, and remembers them, so that spans of theirs that arrive later are deleted too."""

from collections.abc import Sequence
from typing import Final

from axonize.clickhouse.client import command, query
from axonize.clickhouse.tables import stored

_OF_TRACES: Final = """
    tenant = {tenant:String}
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin({trace_ids:Array(String)})), 16))
"""
_IN_TIME: Final = """
    {column} >= fromUnixTimestamp64Nano({{start_ns:Int64}}, 'UTC')
    AND {column} <= fromUnixTimestamp64Nano({{end_ns:Int64}}, 'UTC')
"""


def delete_traces(*, tenant: str, trace_ids: Sequence[str]) -> int:
    """Delete every span of these traces (lower-case hex), and all that was made of them; return how many traces it had.

    Of `traces` last, for it tells where the rest is: a call that fails half-way can be repeated. What a span said of
    its GPU stays: when and where it was seen is the GPU's history. Raises ClickHouseUnavailable, ClickHouseError.
    """
    found = query(
        f"""
        SELECT
            uniqExact(trace_id) AS count,
            toUnixTimestamp64Nano(min(start_time)) AS start_ns,
            toUnixTimestamp64Nano(max(end_time)) AS end_ns
        FROM traces
        WHERE {_OF_TRACES}
        """,
        {"tenant": tenant, "trace_ids": list(trace_ids)},
    )[0]
    count: int = found["count"]
    if count:
        _remember(tenant, trace_ids)
        for statement in _statements():
            command(
                statement,
                {
                    "tenant": tenant,
                    "trace_ids": list(trace_ids),
                    "start_ns": found["start_ns"],
                    "end_ns": found["end_ns"],
                },
            )
    return count


def _statements() -> tuple[str, ...]:
    """Return what deletes them; it asks for times where a table is in their order, to leave its other parts alone."""
    return (
        # whoever held the GPU beside it has more of it now
        f"""
        INSERT INTO gpu_time_changes
        SELECT DISTINCT
            tenant,
            resource_uuid,
            toUInt32(intDiv(toUnixTimestamp(span_start_time), 60)),
            toUInt32(intDiv(toUnixTimestamp(time), 60)),
            now64(3, 'UTC')
        FROM gpu_metrics
        WHERE {_OF_TRACES} AND {_IN_TIME.format(column="time")}
        """,
        f"DELETE FROM {stored('spans')} WHERE {_OF_TRACES} AND {_IN_TIME.format(column='start_time')}",
        f"DELETE FROM {stored('gpu_metrics')} WHERE {_OF_TRACES} AND {_IN_TIME.format(column='time')}",
        f"DELETE FROM {stored('trace_summaries')} WHERE {_OF_TRACES} AND {_IN_TIME.format(column='start_time')}",
        f"DELETE FROM {stored('traces')} WHERE {_OF_TRACES}",
    )


def _remember(tenant: str, trace_ids: Sequence[str]) -> None:
    command(
        """
        INSERT INTO deleted_traces
        SELECT {tenant:String}, toFixedString(unhex(arrayJoin({trace_ids:Array(String)})), 16), now('UTC')
        """,
        {"tenant": tenant, "trace_ids": list(trace_ids)},
    )
