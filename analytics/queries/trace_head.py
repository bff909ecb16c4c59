"""What stands over this trace? Its summary without a look at its spans, whatever its size, as soon as it is written."""

from decimal import Decimal
from typing import Final

from analytics.queries.prices import added
from analytics.queries.summaries import TraceHead
from analytics.queries.trace_rows import GPU_TIME_AND_PRICES
from analytics.trace_costs import trace_costs
from axonize.clickhouse import client as clickhouse

_STATUSES: Final = ("unset", "ok", "error")


def trace_head(*, tenant: str, trace_id: str) -> TraceHead | None:
    """Return the head of the trace of this id (lower-case hex), None where there is none. One query.

    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    (row,) = clickhouse.query(
        f"""
        SELECT
            toUnixTimestamp64Nano(min(traces.start_time)) AS start_ns,
            toUnixTimestamp64Nano(max(traces.end_time)) AS end_ns,
            sum(traces.span_count) AS span_count,
            sum(traces.error_count) AS error_count,
            argMinMerge(first) AS root,
            arraySort(groupUniqArrayArray(traces.models)) AS models,
            length(arrayFilter(
                resource -> resource != sipHash64(''),
                groupUniqArrayArray(gpu_intervals.resource))) AS gpu_count,
            sum(traces.tokens_input) AS tokens_input,
            sum(traces.tokens_output) AS tokens_output,
            sum(traces.cost_usd) AS cost_sent,
            {GPU_TIME_AND_PRICES} AS gpu_time
        FROM traces
        WHERE tenant = {{tenant:String}} AND trace_id = toFixedString(unhex({{trace_id:String}}), 16)
        """,
        {"tenant": tenant, "trace_id": trace_id},
    )
    if not row["span_count"]:
        return None
    root = row["root"]
    gpu_time, prices = row["gpu_time"]
    costs = trace_costs(gpu_time, dict(prices)).values()
    of_gpus = sum((Decimal(str(cost)) for cost in costs), start=Decimal(0)) if costs else None
    return TraceHead(
        trace_id=trace_id,
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        service_name=root["service_name"],
        environment=root["environment"],
        root_span_name=root["name"],
        status="error" if row["error_count"] else _STATUSES[root["status"]],
        span_count=row["span_count"],
        error_count=row["error_count"],
        models=row["models"],
        gpu_count=row["gpu_count"],
        tokens_input=row["tokens_input"],
        tokens_output=row["tokens_output"],
        cost_usd=added(row["cost_sent"], of_gpus),
    )
