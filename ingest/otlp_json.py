"""OTLP's JSON form, turned into its protobuf form.

It is protobuf's JSON mapping but for ids, which are hex and not base64 (OTLP specification, "JSON Protobuf Encoding").
"""

import base64
import json
import re
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.intake import MalformedRequest

MAX_REASON_LENGTH = 500
ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
ID_FIELDS = ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id")


def to_protobuf(body: bytes) -> bytes:
    """Return an ExportTraceServiceRequest in protobuf. Raises MalformedRequest."""
    try:
        document = json.loads(body.decode("utf-8-sig"))
        if ESCAPED_SURROGATE.search(body):
            json.dumps(document, ensure_ascii=False).encode()  # half a character fails here, and is no text in protobuf
        if not isinstance(document, dict):
            raise MalformedRequest("The request must be a JSON object: an ExportTraceServiceRequest of OTLP.")
        for span in _spans(document):
            _hex_to_base64(span)
            for link in _objects(span.get("links")):
                _hex_to_base64(link)
        return ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=True).SerializeToString()
    except (ValueError, ParseError, RecursionError, OverflowError) as error:
        reason = str(error)[:MAX_REASON_LENGTH]  # it repeats what was sent, of any length
        raise MalformedRequest(f"The request is not an ExportTraceServiceRequest in OTLP's JSON: {reason}") from error


def _spans(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        span
        for resource_spans in _objects(document.get("resourceSpans", document.get("resource_spans")))
        for scope_spans in _objects(resource_spans.get("scopeSpans", resource_spans.get("scope_spans")))
        for span in _objects(scope_spans.get("spans"))
    ]


def _objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of a JSON array; what is neither is left for protobuf's parser to complain about."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _hex_to_base64(message: dict[str, Any]) -> None:
    """Rewrite the ids of a span or link; an id that is no hex becomes empty, and its span is refused alone."""
    for field in ID_FIELDS:
        value = message.get(field)
        if isinstance(value, str):
            try:
                identifier = bytes.fromhex(value)
            except ValueError:
                identifier = b""
            message[field] = base64.b64encode(identifier).decode()
