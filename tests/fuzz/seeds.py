"""Valid requests to start from: what real emitters sent, a few spans each, and one span with everything."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests import captures
from tests.otlp import ERROR, gpu, key_values, request, span

SPANS_A_SEED = 2


def seeds() -> list[bytes]:
    """Return serialized requests that the intake takes now."""
    recorded = [small for name in captures.NAMES for one in captures.load(name) for small in _split(one)]
    return [one.SerializeToString() for one in (*recorded, request(_rich_span()))]


def _split(whole: ExportTraceServiceRequest) -> list[ExportTraceServiceRequest]:
    parts = []
    for resource_spans in whole.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for at in range(0, len(scope_spans.spans), SPANS_A_SEED):
                part = ExportTraceServiceRequest()
                into = part.resource_spans.add(resource=resource_spans.resource)
                into.scope_spans.add(scope=scope_spans.scope, spans=scope_spans.spans[at : at + SPANS_A_SEED])
                parts.append(part)
    return parts


def _rich_span() -> Span:
    attributes: dict[str, object] = {
        "text": "é🚀",
        "int": -1,
        "double": 0.5,
        "bool": True,
        "array": ["a", 1, [b"\0"]],
        "map": {"a": {"b": None}},
        "bytes": b"\xff",
        "nothing": None,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.latency.time_in_queue": 0.5,
        "queue_time": "1.5ms",
        **gpu(0, resource_uuid="MIG-1", physical_uuid="GPU-1", utilization=50.0, clock_mhz=1500),
    }
    some = key_values({"key": "value"})
    return span(
        parent_span_id=b"\1" * 8,
        status=ERROR,
        message="failed",
        attributes=attributes,
        trace_state="a=b",
        flags=1,
        dropped_attributes_count=1,
        events=[Span.Event(time_unix_nano=1, name="event", attributes=some, dropped_attributes_count=2)],
        links=[Span.Link(trace_id=b"\2" * 16, span_id=b"\2" * 8, trace_state="c=d", attributes=some, flags=1)],
    )
