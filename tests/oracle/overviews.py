"""What the API must answer about how the traces of a range did."""

from decimal import Decimal
from typing import Any

from tests.oracle.comparing import About
from tests.oracle.measures import buckets, mean, ms, percentile, time_text, usual_seconds
from tests.oracle.model import Model
from tests.oracle.traces import TraceFilters

PERCENTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def overview(model: Model, wanted: TraceFilters) -> dict[str, Any]:
    traces = model.matching(wanted)
    width = usual_seconds(*wanted.range, 120)
    series = [
        (time_text(start_ns), [trace.duration_ns for trace in traces if start_ns <= trace.start_ns < end_ns])
        for start_ns, end_ns in buckets(*wanted.range, width)
    ]
    return {
        "total_traces": len(traces),
        "avg_latency_ms": ms(mean([trace.duration_ns for trace in traces]) or 0),
        "error_rate": mean([trace.status == "error" for trace in traces]) or 0,
        "active_gpu_count": len({uuid for trace in traces for uuid in trace.resources}),
        "total_spans": sum(len(trace.spans) for trace in traces),
        "tokens_input": sum(trace.tokens_input for trace in traces),
        "tokens_output": sum(trace.tokens_output for trace in traces),
        "cost_usd": About(float(sum((trace.cost_usd or Decimal(0) for trace in traces), Decimal(0)))),
        "bucket_seconds": width,
        "throughput_series": [{"timestamp": at, "count": len(durations)} for at, durations in series],
        "latency_series": [{"timestamp": at, **percentiles_ms(durations)} for at, durations in series],
    }


def percentiles_ms(durations_ns: list[int]) -> dict[str, float | None]:
    return {
        name: None if (value := percentile(durations_ns, share)) is None else ms(value)
        for name, share in PERCENTILES.items()
    }
