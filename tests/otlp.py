"""Builds OTLP requests from plain Python values, for tests."""

import base64
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

MILLISECOND_NS = 10**6
SECOND_NS = 10**9

UNSET, OK, ERROR = 0, 1, 2
ID_FIELDS = {"traceId", "spanId", "parentSpanId"}


def any_value(value: object) -> AnyValue:
    """Return a Python value as an AnyValue: None is one whose member is not set."""
    match value:
        case AnyValue():
            return value
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            array = AnyValue()
            array.array_value.SetInParent()
            array.array_value.values.extend(any_value(item) for item in value)
            return array
        case dict():
            mapping = AnyValue()
            mapping.kvlist_value.SetInParent()
            mapping.kvlist_value.values.extend(key_values(value))
            return mapping
    raise TypeError(f"{type(value).__name__} is no attribute value")


def key_values(attributes: Mapping[str, object]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def span(
    name: str = "span",
    *,
    trace_id: bytes | None = None,
    span_id: bytes | None = None,
    parent_span_id: bytes = b"",
    start_ns: int | None = None,
    duration_ns: int = 100 * MILLISECOND_NS,
    attributes: Mapping[str, object] | None = None,
    status: int = UNSET,
    message: str = "",
    kind: int = 1,
    events: Sequence[Span.Event] = (),
    links: Sequence[Span.Link] = (),
    **fields: Any,
) -> Span:
    """Return a span that ended just now, with random ids, unless told otherwise."""
    start = time.time_ns() - duration_ns if start_ns is None else start_ns
    return Span(
        trace_id=trace_id or os.urandom(16),
        span_id=span_id or os.urandom(8),
        parent_span_id=parent_span_id,
        name=name,
        kind=kind,  # type: ignore[arg-type]  # tests send numbers that no enum has
        start_time_unix_nano=start,
        end_time_unix_nano=start + duration_ns,
        attributes=key_values(attributes or {}),
        status=Status(code=status, message=message),  # type: ignore[arg-type]  # as above
        events=events,
        links=links,
        **fields,
    )


def request(
    *spans: Span, resource: Mapping[str, object] | None = None, scope: tuple[str, str] = ("tests", "1")
) -> ExportTraceServiceRequest:
    """Return a request of one resource and one scope."""
    resource_spans = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
    resource_spans.resource.attributes.extend(key_values({"service.name": "tests"} if resource is None else resource))
    resource_spans.scope_spans[0].scope.name, resource_spans.scope_spans[0].scope.version = scope
    return ExportTraceServiceRequest(resource_spans=[resource_spans])


def gpu(number: int = 0, **fields: object) -> dict[str, object]:
    """Return the attributes of one attribution, `model="H100"` as `{"gpu.0.model": "H100"}`."""
    return {f"gpu.{number}.{field}": value for field, value in fields.items()}


def otlp_json(message: ExportTraceServiceRequest) -> bytes:
    """Return a request as an OTLP/JSON client writes it: ids in hex, enums as numbers."""

    def hexed(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64decode(item).hex() if key in ID_FIELDS else hexed(item) for key, item in value.items()
            }
        return [hexed(item) for item in value] if isinstance(value, list) else value

    return json.dumps(hexed(MessageToDict(message, use_integers_for_enums=True))).encode()
