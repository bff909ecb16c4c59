"""The recorded requests, with their times shifted to now and ids of their own."""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[attr-defined]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.binpb"))


def load(name: str) -> list[ExportTraceServiceRequest]:
    """Return the requests of a capture, shifted so that its last span has just ended, with ids not used before."""
    requests = list(_messages((FOLDER / f"{name}.binpb").read_bytes()))
    shift_ns = time.time_ns() - max(span.end_time_unix_nano for request in requests for span in spans_of(request))
    salt = os.urandom(8)
    for request in requests:
        for span in spans_of(request):
            identified: list[Span | Span.Link] = [span, *span.links]
            for message in identified:
                message.trace_id = _renewed(message.trace_id, salt)
                message.span_id = _renewed(message.span_id, salt)
            span.parent_span_id = _renewed(span.parent_span_id, salt)
            span.start_time_unix_nano += shift_ns
            span.end_time_unix_nano += shift_ns
            for event in span.events:
                event.time_unix_nano += shift_ns
    return requests


def spans_of(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            yield from scope_spans.spans


def _messages(content: bytes) -> Iterator[ExportTraceServiceRequest]:
    position = 0
    while position < len(content):
        size, position = _DecodeVarint32(content, position)
        yield ExportTraceServiceRequest.FromString(content[position : position + size])
        position += size


def _renewed(identifier: bytes, salt: bytes) -> bytes:
    return hashlib.blake2b(identifier, digest_size=len(identifier), key=salt).digest() if identifier else b""
