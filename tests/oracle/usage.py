"""What the API must answer about what ran in a range, one row each: services, models, GPUs."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tests.oracle.comparing import About
from tests.oracle.grouping import spans_of
from tests.oracle.measures import HOUR_NS, covered, mean, ms, percentile, time_text
from tests.oracle.model import Model
from tests.oracle.records import Span
from tests.oracle.registry import NOTHING
from tests.oracle.traces import TraceFilters

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def services(model: Model, limit: int, wanted: TraceFilters) -> dict[str, Any]:
    spans = spans_of(model, wanted)
    rows = [
        {
            "service_name": name,
            **_of_spans(own := [span for span in spans if span.service_name == name]),
            "models": _models(own),
            "cost_usd": _cost(own, model.gpu_cost(wanted, service_name=name)),
        }
        for name in {span.service_name for span in spans}
    ]
    return _busiest("services", rows, "count", "service_name", limit, wanted)


def models(model: Model, limit: int, wanted: TraceFilters) -> dict[str, Any]:
    spans = spans_of(model, wanted)
    rows = [
        _model([span for span in spans if span.model_name == name], model.gpu_cost(wanted, model_name=name))
        for name in _models(spans)
    ]
    return _busiest("models", rows, "count", "model_name", limit, wanted)


def _model(spans: Sequence[Span], gpu_cost: float | None) -> dict[str, Any]:
    ttfts = [span.ttft_ms for span in spans if span.ttft_ms is not None]
    return {
        "model_name": spans[0].model_name,
        **_of_spans(spans),
        "tokens_input": sum(span.tokens_input or 0 for span in spans),
        "tokens_output": sum(span.tokens_output or 0 for span in spans),
        "avg_ttft_ms": mean(ttfts),
        **{f"{name}_ttft_ms": percentile(ttfts, share) for name, share in PERCENTILES.items()},
        "tokens_per_second": mean([span.tokens_per_second for span in spans if span.tokens_per_second is not None]),
        "cost_usd": _cost(spans, gpu_cost),
    }


def _cost(spans: Sequence[Span], gpu_cost: float | None) -> About | None:
    sent = [span.cost_usd for span in spans if span.cost_usd is not None]
    return None if not sent and gpu_cost is None else About(float(sum(sent, Decimal(0))) + (gpu_cost or 0))


def gpus(model: Model, limit: int, wanted: TraceFilters) -> dict[str, Any]:
    spans = spans_of(model, wanted)
    uuids = {uuid for span in spans for uuid in span.resources}
    rows = [_gpu(model, uuid, [span for span in spans if uuid in span.resources], wanted) for uuid in uuids]
    return _busiest("gpus", rows, "spans", "resource_uuid", limit, wanted)


def _gpu(model: Model, uuid: str, spans: Sequence[Span], wanted: TraceFilters) -> dict[str, Any]:
    start_ns, end_ns = wanted.range
    word = model.registry.get(uuid, NOTHING)
    busy_ns = covered([(span.start_ns, min(span.end_ns, end_ns)) for span in spans])
    busy_hours = busy_ns / HOUR_NS

    def known(reading: str) -> list[float]:
        found = [gpu.known(reading) for span in spans for gpu in span.gpus if gpu.resource == uuid]
        return [value for value in found if value is not None]

    memory_gb = word.memory_total_gb or max(known("memory_total_gb"), default=None)
    power = mean(known("power_watts"))
    price = None if word.cost_per_hour_usd is None else float(word.cost_per_hour_usd)
    return {
        "resource_uuid": uuid,
        "physical_uuid": word.physical_uuid,
        "model": word.model,
        "node_id": word.node_id,
        "busy_share": busy_ns / (end_ns - start_ns),
        "spans": len(spans),
        "avg_utilization": mean(known("utilization")),
        "max_utilization": max(known("utilization"), default=None),
        "avg_memory_used_gb": mean(known("memory_used_gb")),
        "max_memory_used_gb": max(known("memory_used_gb"), default=None),
        "memory_total_gb": memory_gb,
        "avg_power_watts": power,
        "max_power_watts": max(known("power_watts"), default=None),
        "energy_wh": None if power is None else power * busy_hours,
        "models": _models(spans),
        "cost_usd": None if price is None else price * busy_hours,
        "idle_cost_usd": None if price is None else About(price * ((end_ns - start_ns) / HOUR_NS - busy_hours)),
    }


def _of_spans(spans: Sequence[Span]) -> dict[str, Any]:
    durations_ms = [ms(span.duration_ns) for span in spans]
    return {
        "count": len(spans),
        "error_rate": mean([span.status == "error" for span in spans]),
        "avg_ms": mean(durations_ms),
        **{f"{name}_ms": percentile(durations_ms, share) for name, share in PERCENTILES.items()},
    }


def _models(spans: Sequence[Span]) -> list[str]:
    return sorted({span.model_name for span in spans} - {""})


def _busiest(
    title: str, rows: list[dict[str, Any]], traffic: str, name: str, limit: int, wanted: TraceFilters
) -> dict[str, Any]:
    by_traffic = sorted(rows, key=lambda row: (-row[traffic], row[name]))
    return {
        title: by_traffic[:limit],
        "total": len(rows),
        "limit": limit,
        "start": time_text(wanted.range[0]),
        "end": time_text(wanted.range[1]),
    }
