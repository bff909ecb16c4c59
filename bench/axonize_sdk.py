"""A span as the Axonize SDK sends it with an LLM call: 22 attributes, 13 of them of one GPU."""

import random
from collections.abc import Mapping

from opentelemetry.proto.trace.v1.trace_pb2 import Span


def set_attributes(span: Span, values: Mapping[str, str | int | float]) -> None:
    """Add attributes to a span, each of the type of its value."""
    for key, value in values.items():
        sent = span.attributes.add(key=key).value
        match value:
            case str():
                sent.string_value = value
            case int():
                sent.int_value = value
            case float():
                sent.double_value = value


def attributes(chance: random.Random) -> dict[str, str | int | float]:
    """Return such attributes, their values by chance."""
    dice = chance.random
    return {
        "ai.model.name": "llama-3-70b",
        "ai.model.version": "instruct-awq",
        "ai.inference.type": "llm",
        "ai.llm.tokens.input": int(dice() * 4000),
        "ai.llm.tokens.output": int(dice() * 900),
        "ai.llm.ttft_ms": dice() * 100,
        "ai.llm.tokens_per_second": dice() * 900,
        "cost.usd": round(dice() / 100, 6),
        "axonize.duration_ms": dice() * 1000,
        "gpu.0.resource_uuid": f"MIG-0000-{int(dice() * 56):02}",
        "gpu.0.physical_uuid": "GPU-0000",
        "gpu.0.model": "NVIDIA H100 80GB HBM3",
        "gpu.0.vendor": "NVIDIA",
        "gpu.0.node_id": "gpu-node-1",
        "gpu.0.resource_type": "mig_40gb",
        "gpu.0.user_label": "cuda:0",
        "gpu.0.utilization": dice() * 100,
        "gpu.0.memory_used_gb": dice() * 40,
        "gpu.0.memory_total_gb": 40.0,
        "gpu.0.temperature_celsius": int(dice() * 90),
        "gpu.0.power_watts": int(dice() * 400),
        "gpu.0.clock_mhz": 1500,
    }
