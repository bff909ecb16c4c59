"""Answers as the OpenAPI document shows them: one request of a chat, and the MIG slice that it ran on."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

NODE: Final = "dgx-h100-02"
CARD_UUID: Final = "GPU-5f2c1a9e-8d47-4b1c-9a55-0d2f6b7e3c10"
SLICE_UUID: Final = "MIG-8b1f4c52-6a0e-5d3b-b7c9-1e2f3a4b5c6d"
FIRST_SEEN: Final = "2026-02-01T08:00:00.000000000Z"
LAST_SEEN: Final = "2026-02-07T10:00:00.123456000Z"

READINGS: Final = {
    "utilization": 87.5,
    "memory_used_gb": 31.2,
    "memory_total_gb": 39.5,
    "temperature_celsius": 61.0,
    "power_watts": 312.0,
    "clock_mhz": 1755.0,
}

TRACE_SUMMARY: Final = {
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "start_time": "2026-02-07T10:00:00.120000000Z",
    "end_time": "2026-02-07T10:00:04.125000000Z",
    "duration_ms": 4005.0,
    "service_name": "api-gateway",
    "environment": "production",
    "span_count": 2,
    "error_count": 0,
    "root_span_name": "POST /v1/chat/completions",
    "status": "ok",
    "models": ["llama-3.3-70b"],
    "tokens_input": 812,
    "tokens_output": 96,
    "gpu_count": 1,
    "gpu_time_ms": 4000.0,
    "cost_usd": 0.00038,
}
ROOT_SPAN: Final = {
    "span_id": "00f067aa0ba902b7",
    "name": "POST /v1/chat/completions",
    "start_time": "2026-02-07T10:00:00.120000000Z",
    "end_time": "2026-02-07T10:00:04.125000000Z",
    "duration_ms": 4005.0,
    "status": "ok",
    "kind": "server",
    "service_name": "api-gateway",
    "environment": "production",
    "attributes": {"http.route": "/v1/chat/completions", "http.response.status_code": 200},
    "gpus": [],
    "events": [],
    "links": [],
    "resource": {"service.name": "api-gateway", "deployment.environment.name": "production"},
    "scope": {"name": "gateway", "version": "4.2.0"},
    "self_time_ms": 5.0,
}
MODEL_SPAN: Final = {
    "span_id": "b7ad6b7169203331",
    "parent_span_id": "00f067aa0ba902b7",
    "name": "llm_request",
    "start_time": "2026-02-07T10:00:00.123456789Z",
    "end_time": "2026-02-07T10:00:04.123456789Z",
    "duration_ms": 4000.0,
    "status": "ok",
    "kind": "server",
    "service_name": "llama-serving",
    "environment": "production",
    "model_name": "llama-3.3-70b",
    "tokens_input": 812,
    "tokens_output": 96,
    "tokens_per_second": 26.3,
    "ttft_ms": 350.7,
    "cost_usd": 0.00038,
    "attributes": {"gen_ai.request.model": "llama-3.3-70b", "gen_ai.usage.input_tokens": 812},
    "gpus": [
        {
            "resource_uuid": SLICE_UUID,
            "physical_uuid": CARD_UUID,
            "user_label": "cuda:0",
            "model": "NVIDIA H100 80GB HBM3",
            "vendor": "NVIDIA",
            "node_id": NODE,
            "resource_type": "mig_3g.40gb",
            "source": "span",
            **READINGS,
        }
    ],
    "events": [{"time": "2026-02-07T10:00:00.474156789Z", "name": "first_token", "attributes": {"index": 0}}],
    "links": [],
    "resource": {"service.name": "llama-serving", "deployment.environment.name": "production"},
    "scope": {"name": "vllm", "version": "0.11.0"},
    "self_time_ms": 4000.0,
}
TRACE: Final = {**TRACE_SUMMARY, "spans": [{**ROOT_SPAN, "children": [{**MODEL_SPAN, "children": []}]}]}
FLAT_SPANS: Final = [{**ROOT_SPAN, "depth": 0}, {**MODEL_SPAN, "depth": 1}]
FOUND_SPAN: Final = {"trace_id": TRACE_SUMMARY["trace_id"], **MODEL_SPAN, "depth": 1}
GPU: Final = {
    "resource_uuid": SLICE_UUID,
    "physical_uuid": CARD_UUID,
    "model": "NVIDIA H100 80GB HBM3",
    "vendor": "NVIDIA",
    "resource_type": "mig_3g.40gb",
    "node_id": NODE,
    "user_labels": ["cuda:0"],
    **READINGS,
    "reading_at": LAST_SEEN,
    "cost_per_hour_usd": 1.407188,
    "share": 0.49375,
    "mig_profile": "3g.40gb",
    "sm_share": 0.42857142857142855,
    "labels": {"team": "search"},
    "retired_at": None,
    "first_seen": FIRST_SEEN,
    "last_seen": LAST_SEEN,
}
SIBLING: Final = {
    **GPU,
    "resource_uuid": "MIG-1d4e7a90-53c2-5f18-8e6b-7a9c0b1d2e3f",
    "user_labels": [],
    "utilization": 0.0,
    "memory_used_gb": 0.0,
    "temperature_celsius": None,
    "power_watts": None,
    "clock_mhz": None,
    "reading_at": None,
}
HOLDER: Final = {
    "user_label": "cuda:0",
    "hostname": NODE,
    "pod": "vllm-llama-70b-6f7c9",
    "process_id": 1,
    "labels": {"team": "search"},
    "attached_at": "2026-02-07T09:30:00.000000000Z",
    "detached_at": None,
    "ended_by": "",
    "last_seen": LAST_SEEN,
}
CARD: Final = {
    "uuid": CARD_UUID,
    "model": "NVIDIA H100 80GB HBM3",
    "vendor": "NVIDIA",
    "node_id": NODE,
    "memory_total_gb": 80.0,
    "set": ["node_id"],
    "conflicts": [{"field": "node_id", "set": NODE, "seen": "ip-10-0-3-7"}],
    "seen_model": "NVIDIA H100 80GB HBM3",
    "seen_vendor": "NVIDIA",
    "seen_node_id": "ip-10-0-3-7",
    "seen_memory_total_gb": 80.0,
    "cost_per_hour_usd": 2.85,
    "labels": {"team": "search", "rack": "b7"},
    "architecture": "Hopper",
    "compute_capability": "9.0",
    "sm_count": 132,
    "tflops": 989.4,
    "tdp_watts": 700.0,
    "numa_node": 0,
    "pcie_bus_id": "00000000:65:00.0",
    "first_seen": FIRST_SEEN,
    "last_seen": LAST_SEEN,
}


def answers(name: str, value: dict[str, Any]) -> list[OpenApiExample]:
    """Return what extend_schema takes as `examples`: this one answer, of the status 200."""
    return [OpenApiExample(name, value=value, response_only=True, status_codes=[200])]


def page_answer(**rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the answer of a list with these rows, all on one page."""
    (shown,) = rows.values()
    return {**rows, "total": len(shown), "limit": 50, "offset": 0, "next": None}
