"""Numbered spans: everything about one follows from its number, so that each can be looked for after the trial."""

import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

SPANS_A_TRACE = 5
ERROR_EVERY = 7
GPUS = 16
SPAN_MS = 20


def trace_number(number: int) -> int:
    """Return the trace that a span belongs to."""
    return number // SPANS_A_TRACE


def trace_id(number: int) -> bytes:
    """Return the trace id of a span, its trace's number and one in front: never all zero."""
    return (1 << 64 | trace_number(number)).to_bytes(16, "big")


def span_id(number: int) -> bytes:
    """Return the id of a span; span 0 has an id too."""
    return (number + 1).to_bytes(8, "big")


def is_error(number: int) -> bool:
    return number % ERROR_EVERY == 0


def request(first: int, count: int, *, gpu_prefix: str = "GPU-chaos") -> bytes:
    """Return an ExportTraceServiceRequest of the spans `first` to `first + count - 1`, each with one GPU."""
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "chaos"
    scope_spans = resource_spans.scope_spans.add()
    end_ns = time.time_ns()
    for number in range(first, first + count):
        root = trace_number(number) * SPANS_A_TRACE
        span = scope_spans.spans.add(
            trace_id=trace_id(number),
            span_id=span_id(number),
            parent_span_id=b"" if number == root else span_id(root),
            name="generate",
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=end_ns - SPAN_MS * 1_000_000,
            end_time_unix_nano=end_ns,
        )
        span.status.code = Status.STATUS_CODE_ERROR if is_error(number) else Status.STATUS_CODE_OK
        gpu = f"{gpu_prefix}-{number % GPUS}"
        for key, text in (("resource_uuid", gpu), ("physical_uuid", gpu), ("model", "H100"), ("user_label", "cuda:0")):
            span.attributes.add(key=f"gpu.0.{key}").value.string_value = text
        span.attributes.add(key="gpu.0.utilization").value.double_value = 1 + number % 99
        span.attributes.add(key="gen_ai.request.model").value.string_value = "llama-3-70b"
    return message.SerializeToString()
