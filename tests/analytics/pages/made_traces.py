"""Traces for the pages of a trace: a chat through a gateway that held a slice of a GPU, and large ones."""

import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.otlp import ERROR, MILLISECOND_NS, OK, SECOND_NS, gpu, key_values, request, span

START = time.time_ns() // SECOND_NS * SECOND_NS - 600 * SECOND_NS
CHAT = bytes.fromhex("c1" * 16)
LARGE = bytes.fromhex("1a" * 16)
SLICE, CARD = "MIG-7f3c2b1a-0000-4000-8000-00000000beef", "GPU-5f2c1a9e-0000-4000-8000-00000000cafe"
ROOT, QUEUE, GENERATE, SAFETY = (bytes([number]) * 8 for number in range(1, 5))
PROMPT = '[{"role": "user", "content": "' + "Why is the sky blue? " * 2500 + '"}]'


def part(
    name: str, span_id: bytes, start_ms: float, took_ms: float, *, parent: bytes = ROOT, service: str = "llama-serving",
    **fields: object,
) -> ExportTraceServiceRequest:  # fmt: skip
    sent = span(
        name,
        trace_id=CHAT,
        span_id=span_id,
        parent_span_id=parent,
        start_ns=START + round(start_ms * MILLISECOND_NS),
        duration_ns=round(took_ms * MILLISECOND_NS),
        **fields,  # type: ignore[arg-type]  # passed on as they are
    )
    return request(sent, resource={"service.name": service, "deployment.environment.name": "production"})


def chat() -> list[ExportTraceServiceRequest]:
    """Return a chat: 1000 ms at the gateway, 100 in the queue, 800 of generation on a slice, and a check that fails."""
    held = {
        "resource_uuid": SLICE, "physical_uuid": CARD, "model": "NVIDIA H100 80GB HBM3", "resource_type": "mig_3g.40gb",
        "node_id": "dgx-h100-02", "user_label": "cuda:0", "utilization": 71.5, "memory_used_gb": 30.0,
        "memory_total_gb": 39.5, "power_watts": 300,
    }  # fmt: skip
    generation = {
        "gen_ai.request.model": "llama-3-70b",
        "gen_ai.usage.input_tokens": 812,
        "gen_ai.usage.output_tokens": 245,
        "ai.llm.ttft_ms": 210.0,
        "gen_ai.input.messages": PROMPT,
        "server.streams": True,
        **gpu(0, **held),
    }
    stack = 'Traceback (most recent call last):\n  File "check.py", line 7, in check\nValueError: no <policy>'
    failure = Span.Event(
        time_unix_nano=START + 950 * MILLISECOND_NS,
        name="exception",
        attributes=key_values({"exception.type": "ValueError", "exception.stacktrace": stack}),
    )
    return [
        part("POST /v1/chat", ROOT, 0, 1000, parent=b"", service="api-gateway", status=OK, kind=2),
        part("queue", QUEUE, 10, 100),
        part(
            "generate", GENERATE, 110, 800, status=OK, attributes=generation,
            links=[Span.Link(trace_id=LARGE, span_id=ROOT), Span.Link(trace_id=CHAT, span_id=QUEUE)],
        ),
        part("check safety", SAFETY, 920, 50, status=ERROR, message="no <policy>", events=[failure]),
    ]  # fmt: skip


def large(spans: int, *, levels: bool = False) -> ExportTraceServiceRequest:
    """Return a trace whose spans hang one below the other, or ten below each."""
    ids = [number.to_bytes(8) for number in range(1, spans + 1)]
    return request(
        *(
            span(
                f"step {number}",
                trace_id=LARGE,
                span_id=ids[number],
                parent_span_id=ids[number - 1 if levels else (number - 1) // 10] if number else b"",
                start_ns=START + number * 1000,
                duration_ns=(2 * spans - number) * 1000,
            )
            for number in range(spans)
        )
    )
