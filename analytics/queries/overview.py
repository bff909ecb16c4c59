"""How did the traces of a time range do? Counts, latencies, errors and costs of whole traces, over all and by time."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from analytics.buckets import usual_width_seconds
from analytics.queries.conditions import Conditions
from analytics.queries.filters import SpanFilter, TimedFilter, trace_conditions
from analytics.queries.prices import cost_of
from analytics.queries.summary_rows import live_traces
from analytics.times import NS_PER_SECOND
from axonize.clickhouse import client as clickhouse

MAX_BUCKETS: Final = 120
# What the GPUs of a trace cost, as prices.TRACE_COST has it; only sums of it are told, so what has no price is 0.
_GPU_COST: Final = f"""
    toDecimal128(
        arraySum(one -> ifNull({cost_of("one.resource_uuid", "one.held_ns")}, 0), gpu_times),
        12)"""


@dataclass(frozen=True)
class Bucket:
    """The traces that began in one stretch of time; percentiles in nanoseconds, None where there is no trace."""

    start_ns: int
    count: int = 0
    p50_ns: float | None = None
    p95_ns: float | None = None
    p99_ns: float | None = None
    error_traces: int = 0
    tokens_input: int = 0
    tokens_output: int = 0
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class Overview:
    """All traces of the range; `active_gpu_count` counts the compute resources that any of them ran on."""

    total_traces: int
    error_traces: int
    avg_latency_ns: float
    active_gpu_count: int
    total_spans: int
    tokens_input: int
    tokens_output: int
    cost_usd: Decimal
    bucket_seconds: int
    buckets: list[Bucket]

    @property
    def error_rate(self) -> float:
        """The share of traces, 0 to 1, in which a span failed."""
        return self.error_traces / self.total_traces if self.total_traces else 0.0


def overview(*, tenant: str, start_ns: int, end_ns: int, span: SpanFilter) -> Overview:
    """Sum up the traces that began in [start_ns, end_ns) and have a span that satisfies `span`. One query.

    Buckets are gap-free and aligned to UTC, so the first may begin before the range; it counts only what is within.
    """
    width = usual_width_seconds(start_ns, end_ns, most=MAX_BUCKETS)
    matching = trace_conditions(TimedFilter(start_ns=start_ns, end_ns=end_ns, span=span), tenant=tenant)
    # Of the rows of live_traces(), in its own SELECT: one around it is one more to plan.
    columns = f"""
        intDiv(toUnixTimestamp64Nano(start_time), {{width_ns:Int64}}) AS bucket,
        grouping(bucket) AS is_total,
        count() AS traces,
        countIf(error_count > 0) AS error_traces,
        avg(duration_ns) AS avg_latency_ns,
        quantilesExactInclusive(0.5, 0.95, 0.99)(duration_ns) AS percentiles_ns,
        sum(span_count) AS total_spans,
        sum(tokens_input) AS total_tokens_input,
        sum(tokens_output) AS total_tokens_output,
        sum(cost_usd) AS cost_sent_usd,
        sum({_GPU_COST}) AS cost_of_gpus_usd,
        ({_count_gpus(matching)}) AS active_gpu_count"""
    # Each row is a bucket but for one, the whole range; there `is_total` is 1.
    rows = clickhouse.query(
        f"{live_traces(columns, matching)} GROUP BY ROLLUP (bucket)",
        {**matching.parameters, "tenant": tenant, "width_ns": width * NS_PER_SECOND},
    )
    by_number = {row["bucket"]: row for row in rows if not row["is_total"]}
    total = next((row for row in rows if row["is_total"]), None)
    numbers = range(start_ns // (width * NS_PER_SECOND), -(-end_ns // (width * NS_PER_SECOND)))
    buckets = [_bucket(number * width * NS_PER_SECOND, by_number.get(number)) for number in numbers]
    if total is None or not total["traces"]:
        return Overview(0, 0, 0.0, 0, 0, 0, 0, Decimal(0), width, buckets)
    return Overview(
        total_traces=total["traces"],
        error_traces=total["error_traces"],
        avg_latency_ns=total["avg_latency_ns"],
        active_gpu_count=total["active_gpu_count"],
        total_spans=total["total_spans"],
        tokens_input=total["total_tokens_input"],
        tokens_output=total["total_tokens_output"],
        cost_usd=_cost_usd(total),
        bucket_seconds=width,
        buckets=buckets,
    )


def _bucket(start_ns: int, row: Mapping[str, Any] | None) -> Bucket:
    if row is None:
        return Bucket(start_ns)
    p50_ns, p95_ns, p99_ns = row["percentiles_ns"]
    return Bucket(
        start_ns,
        row["traces"],
        p50_ns,
        p95_ns,
        p99_ns,
        error_traces=row["error_traces"],
        tokens_input=row["total_tokens_input"],
        tokens_output=row["total_tokens_output"],
        cost_usd=_cost_usd(row),
    )


def _cost_usd(row: Mapping[str, Any]) -> Decimal:
    cost: Decimal = (row["cost_sent_usd"] or 0) + row["cost_of_gpus_usd"]
    return cost


def _count_gpus(matching: Conditions) -> str:
    """Return the SELECT of how many compute resources the matching traces ran on: what their shapes' facets name."""
    return f"""
        SELECT uniqExact(resource_uuid)
        FROM span_facets
        ARRAY JOIN resource_uuids AS resource_uuid
        WHERE tenant = {{tenant:String}}
            AND resource_uuid != ''
            AND facet IN (
                SELECT arrayJoin(facets)
                FROM trace_shapes
                WHERE tenant = {{tenant:String}} AND shape IN ({live_traces("shape", matching)}))"""
