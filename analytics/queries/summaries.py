"""What are these traces? The summary of each, whole: from `traces`, and the time they held GPUs, from `spans`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from axonize.clickhouse import client as clickhouse


@dataclass(frozen=True)
class TraceSummary:
    """A trace. Times and durations in nanoseconds; texts and status as of its root, of the earliest span without one.

    `gpu_time_ns` sums, over the resources, how long each was held by any span; `cost_usd` is None where none was sent.
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


def summarize(*, tenant: str, trace_ids: Sequence[str]) -> list[TraceSummary]:
    """Return the summaries of the traces that exist, in the order of the ids (lower-case hex). Two queries."""
    if not trace_ids:
        return []
    rows = clickhouse.query(
        """
        SELECT
            lower(hex(trace_id)) AS id,
            toUnixTimestamp64Nano(min(traces.start_time)) AS start_ns,
            toUnixTimestamp64Nano(max(traces.end_time)) AS end_ns,
            sum(traces.span_count) AS span_count,
            sum(traces.error_count) AS error_count,
            argMinMerge(first) AS root,
            root.service_name AS service_name,
            root.environment AS environment,
            root.name AS root_span_name,
            multiIf(error_count > 0, 'error', root.status = 1, 'ok', 'unset') AS status,
            arraySort(groupUniqArrayArray(traces.models)) AS models,
            length(groupUniqArrayArray(resource_uuids)) AS gpu_count,
            sum(traces.tokens_input) AS tokens_input,
            sum(traces.tokens_output) AS tokens_output,
            sum(traces.cost_usd) AS cost_usd
        FROM traces
        WHERE tenant = {tenant:String}
            AND trace_id IN (SELECT toFixedString(unhex(arrayJoin({trace_ids:Array(String)})), 16))
        GROUP BY trace_id
        """,
        {"tenant": tenant, "trace_ids": list(trace_ids)},
    )
    gpu_time = _gpu_time_ns(tenant, rows) if any(row["gpu_count"] for row in rows) else {}
    found = {row["id"]: _summary(row, gpu_time.get(row["id"], 0)) for row in rows}
    return [found[trace_id] for trace_id in trace_ids if trace_id in found]


def _gpu_time_ns(tenant: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return by trace: per resource the union of the intervals in which a span held it, summed over the resources."""
    busy = clickhouse.query(
        """
        SELECT lower(hex(trace_id)) AS id, sum(busy_ns) AS gpu_time_ns
        FROM
        (
            SELECT
                trace_id,
                intervalLengthSum(toUnixTimestamp64Nano(start_time), toUnixTimestamp64Nano(end_time)) AS busy_ns
            FROM spans
            ARRAY JOIN arrayDistinct(gpus.resource_uuid) AS resource_uuid
            WHERE tenant = {tenant:String}
                AND trace_id IN (SELECT toFixedString(unhex(arrayJoin({trace_ids:Array(String)})), 16))
                AND start_time >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')
                AND start_time <= fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')
                AND resource_uuid != ''
            GROUP BY trace_id, resource_uuid
        )
        GROUP BY trace_id
        """,
        {
            "tenant": tenant,
            "trace_ids": [row["id"] for row in rows if row["gpu_count"]],
            "start_ns": min(row["start_ns"] for row in rows),
            "end_ns": max(row["end_ns"] for row in rows),
        },
    )
    return {row["id"]: row["gpu_time_ns"] for row in busy}


def _summary(row: Mapping[str, Any], gpu_time_ns: int) -> TraceSummary:
    return TraceSummary(
        trace_id=row["id"],
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        service_name=row["service_name"],
        environment=row["environment"],
        root_span_name=row["root_span_name"],
        status=row["status"],
        span_count=row["span_count"],
        error_count=row["error_count"],
        models=row["models"],
        gpu_count=row["gpu_count"],
        gpu_time_ns=gpu_time_ns,
        tokens_input=row["tokens_input"],
        tokens_output=row["tokens_output"],
        cost_usd=row["cost_usd"],
    )
