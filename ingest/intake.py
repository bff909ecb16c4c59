"""From the bytes of an OTLP request to a verdict: what is kept, as a frame of a batch, and what is refused. Pure."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backports import zstd
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from ingest.faults import LAST_KIND, LAST_STATUS_CODE, MAX_ATTRIBUTES, Fault
from ingest.outline import (
    MOST_FIELDS,
    MOST_MESSAGES,
    OUTLINE_FIELDS,
    RESOURCE_FIELDS,
    SCOPE_FIELDS,
    SPAN_FIELDS,
    UNCOUNTED_BYTES,
    Fields,
    RequestOutline,
    ResourceSpansOutline,
    ScopeSpansOutline,
    unfolds_too_far,
)

NO_TRACE_ID = bytes(16)
NO_SPAN_ID = bytes(8)
VARINT_LAST_BYTE = 0x7F  # a larger rest needs another byte
NANOSECONDS_A_DAY = 86_400 * 10**9
MAX_FUTURE_NS = NANOSECONDS_A_DAY  # clocks disagree, time zones get lost; a day covers both
# ClickHouse repeats what spans share for each span of them, so a long text in a resource is many long texts.
SHARED_BYTES_FREE = 4096
MAX_SHARED_BYTES = 64 * 1024 * 1024
ZSTD_LEVEL = 1
DIGEST_BYTES = 16
LARGE_BYTES = 1024 * 1024

_thread = threading.local()


class MalformedRequest(Exception):
    """The bytes are no ExportTraceServiceRequest; sending them again cannot help."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of one request.

    `frame` holds the accepted spans as one zstd frame of a length-delimited ingest/otlp.proto Envelope, and is empty
    where no span was accepted. `digest` is the same for the same bytes of the same tenant. `message` says why spans
    were rejected, `faults` how many for what. What the frame will take of ClickHouse's memory follows from
    `accepted_spans`, from `raw_bytes`, its size before compression with what spans share counted for each, and from
    `values`: attributes, events and links.
    """

    frame: bytes
    digest: bytes
    raw_bytes: int
    values: int
    accepted_spans: int
    faults: Mapping[Fault, int]

    @property
    def rejected_spans(self) -> int:
        return sum(self.faults.values())

    @property
    def message(self) -> str:
        most_first = sorted(self.faults.items(), key=lambda fault: -fault[1])
        return ". ".join(f"{count} rejected: {fault}" for fault, count in most_first)


class _Tally:
    """What is counted on the way through a request."""

    def __init__(self) -> None:
        self.messages = 0
        self.spans = 0
        self.values = 0
        self.shared_bytes = 0
        self.faults: Counter[Fault] = Counter()

    def outline(self, message_class: Any, body: bytes, field: str) -> Any:
        """Return a message of the outline, its repeated `field` counted. Raises DecodeError, MalformedRequest."""
        if not unfolds_too_far(body, OUTLINE_FIELDS, most=MOST_MESSAGES):
            message = message_class.FromString(body)
            self.messages += len(getattr(message, field))
            if self.messages <= MOST_MESSAGES:
                return message
        raise MalformedRequest(
            f"The request has more than {MOST_MESSAGES} spans, scopes and resources; send smaller batches."
        )


def examine(body: bytes, *, tenant: str, now_ns: int, retention_days: int) -> Verdict:
    """Judge one ExportTraceServiceRequest (OTLP 1.x, protobuf).

    Spans are refused one by one; the others go on as the bytes that the client sent, or, where some were refused, as
    the rest written anew. Raises MalformedRequest.
    """
    earliest_ns = now_ns - retention_days * NANOSECONDS_A_DAY
    latest_ns = now_ns + MAX_FUTURE_NS
    tally = _Tally()
    try:
        request = tally.outline(RequestOutline, body, "resource_spans")
        for at, resource_spans in enumerate(request.resource_spans):
            kept = _examine_resource_spans(resource_spans, earliest_ns, latest_ns, tally)
            if kept is not resource_spans:
                request.resource_spans[at] = kept
    except DecodeError as error:
        raise MalformedRequest("The request is not a protobuf ExportTraceServiceRequest of OTLP.") from error
    frame, raw_bytes = b"", 0
    if tally.spans:
        frame, raw_bytes = enclose(request.SerializeToString() if tally.faults else body, tenant)
    return Verdict(
        frame=frame,
        digest=digest_of(body, tenant),
        raw_bytes=raw_bytes + tally.shared_bytes,
        values=tally.values,
        accepted_spans=tally.spans,
        faults=tally.faults,
    )


def _examine_resource_spans(body: bytes, earliest_ns: int, latest_ns: int, tally: _Tally) -> bytes:
    """Return a ResourceSpans message without its bad spans, `body` itself where all are good."""
    resource_spans = tally.outline(ResourceSpansOutline, body, "scope_spans")
    shared_bytes = 0
    for resource in resource_spans.resource:
        tally.values += len(_parsed(Resource, resource, RESOURCE_FIELDS).attributes)
        shared_bytes += len(resource)
    changed = False
    for at, scope_spans in enumerate(resource_spans.scope_spans):
        kept = _examine_scope_spans(scope_spans, shared_bytes, earliest_ns, latest_ns, tally)
        if kept is not scope_spans:
            resource_spans.scope_spans[at] = kept
            changed = True
    return resource_spans.SerializeToString() if changed else body


def _examine_scope_spans(body: bytes, shared_bytes: int, earliest_ns: int, latest_ns: int, tally: _Tally) -> bytes:
    """Return a ScopeSpans message without its bad spans, `body` itself where all are good."""
    scope_spans = tally.outline(ScopeSpansOutline, body, "spans")
    for scope in scope_spans.scope:
        tally.values += len(_parsed(InstrumentationScope, scope, SCOPE_FIELDS).attributes)
        shared_bytes += len(scope)
    shared_bytes = max(0, shared_bytes - SHARED_BYTES_FREE)
    refused = []
    for at, span in enumerate(_spans(body, scope_spans.spans)):
        attributes = len(span.attributes)
        if attributes > MAX_ATTRIBUTES:
            fault: Fault | None = Fault.TOO_MANY_ATTRIBUTES
        elif tally.shared_bytes + shared_bytes > MAX_SHARED_BYTES:
            fault = Fault.SHARED_TOO_LONG
        else:
            fault = fault_of(span, earliest_ns, latest_ns)
        if fault:
            refused.append(at)
            tally.faults[fault] += 1
        else:
            tally.spans += 1
            tally.values += attributes + len(span.events) + len(span.links)
            tally.shared_bytes += shared_bytes
    for at in reversed(refused):
        del scope_spans.spans[at]
    return scope_spans.SerializeToString() if refused else body


def _spans(body: bytes, span_bodies: Sequence[bytes]) -> Iterable[Span]:
    """Return the spans of a ScopeSpans message, at once where that takes little memory. Raises as `_parsed` does."""
    if len(body) <= UNCOUNTED_BYTES:
        return ScopeSpans.FromString(body).spans
    return (_parsed(Span, span_body, SPAN_FIELDS) for span_body in span_bodies)


def _parsed(message_class: Any, body: bytes, fields: Fields) -> Any:
    """Return a message of the outline's end. Raises DecodeError, MalformedRequest."""
    if unfolds_too_far(body, fields, most=MOST_FIELDS):
        raise MalformedRequest(f"A span, resource or scope of the request has more than {MOST_FIELDS} fields.")
    return message_class.FromString(body)


def fault_of(span: Span, earliest_ns: int, latest_ns: int) -> Fault | None:
    """Return why a span can't be stored, None where it can."""
    # Each name once: in Python a field of a message takes longer than what is asked of it.
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != len(NO_TRACE_ID) or trace_id == NO_TRACE_ID:
        return Fault.TRACE_ID
    if len(span_id) != len(NO_SPAN_ID) or span_id == NO_SPAN_ID:
        return Fault.SPAN_ID
    if len(span.parent_span_id) not in (0, len(NO_SPAN_ID)):
        return Fault.PARENT_SPAN_ID
    if end_ns < start_ns:
        return Fault.ENDS_EARLY
    if start_ns < earliest_ns:
        return Fault.TOO_OLD
    if end_ns > latest_ns:
        return Fault.FUTURE
    if not 0 <= span.kind <= LAST_KIND:
        return Fault.KIND
    if not 0 <= span.status.code <= LAST_STATUS_CODE:
        return Fault.STATUS
    return None


def digest_of(body: bytes, tenant: str) -> bytes:
    """Return 16 bytes that are the same only for the same bytes of the same tenant."""
    digest = hashlib.sha256(tenant.encode() + b"\0", usedforsecurity=False)
    digest.update(body)
    return digest.digest()[:DIGEST_BYTES]


def enclose(request: bytes, tenant: str) -> tuple[bytes, int]:
    """Return a request as a frame of a batch, and the size in bytes that it has before compression.

    A bytes field and a sub-message have the same wire form (protobuf encoding, "Length-Delimited Records"), so the
    envelope is a few bytes in front of what the client sent.
    """
    name = tenant.encode()
    head = b"\x0a" + varint(len(name)) + name + b"\x12" + varint(len(request))
    head = varint(len(head) + len(request)) + head
    return compressed(head, request), len(head) + len(request)


def compressed(head: bytes, request: bytes) -> bytes:
    """Return both as one zstd frame (RFC 8878).

    A thread's compressor is used again for each frame, for to make one costs ten times a small frame. A large request
    gets one of its own, and is not copied behind its head.
    """
    if len(request) > LARGE_BYTES:
        own = zstd.ZstdCompressor(ZSTD_LEVEL)
        return own.compress(head) + own.compress(request) + own.flush()
    compressor: zstd.ZstdCompressor | None = getattr(_thread, "compressor", None)
    if compressor is None:
        compressor = _thread.compressor = zstd.ZstdCompressor(ZSTD_LEVEL)
    # In one call: should it fail, the next frame begins anew.
    return compressor.compress(head + request, zstd.ZstdCompressor.FLUSH_FRAME)


def varint(value: int) -> bytes:
    """Return an unsigned integer as a protobuf varint (protobuf encoding, "Base 128 Varints")."""
    encoded = bytearray()
    while value > VARINT_LAST_BYTE:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
