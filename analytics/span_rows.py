"""What a span of the API shows of the columns of `spans`, by the names that both have for it."""

from typing import Final

# Columns that appear on a span under their own names where they are set, and their Python types.
CANONICAL: Final[dict[str, type]] = {
    **dict.fromkeys(("service_name", "service_version", "environment", "host", "pod"), str),
    "pid": int,
    **dict.fromkeys(("model_name", "model_version", "provider", "inference_type"), str),
    **dict.fromkeys(("tokens_input", "tokens_output", "tokens_cached"), int),
    **dict.fromkeys(("tokens_per_second", "ttft_ms", "queue_ms", "prefill_ms", "decode_ms", "inference_ms"), float),
    **dict.fromkeys(("batch_size", "diffusion_steps"), int),
    **dict.fromkeys(("cfg_scale", "cost_usd", "energy_wh"), float),
    **dict.fromkeys(("request_id", "user_id", "session_id"), str),
}
# Those of them that are columns of `spans`; the others are in its detail, which has only what is set.
CANONICAL_COLUMNS: Final = (
    *("service_name", "environment", "model_name", "tokens_input", "tokens_output"),
    *("tokens_per_second", "ttft_ms", "queue_ms", "cost_usd"),
)
# The same, of OTLP's own; set is what is neither empty nor zero.
PROTOCOL: Final[dict[str, type]] = {
    "trace_state": str,
    **dict.fromkeys(("flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count"), int),
}
# A GPU's texts that the registry knows where the span left them empty.
GPU_FROM_REGISTRY: Final = ("physical_uuid", "model", "vendor", "node_id", "resource_type")
# The same where operators set it, which counts more than what the span says.
GPU_SET_IN_REGISTRY: Final = tuple(f"set_{name}" for name in GPU_FROM_REGISTRY)
GPU_TEXTS: Final = ("resource_uuid", "physical_uuid", "user_label", "model", "vendor", "node_id", "resource_type")
GPU_READINGS: Final = (
    "utilization",
    "memory_used_gb",
    "memory_total_gb",
    "temperature_celsius",
    "power_watts",
    "clock_mhz",
)
