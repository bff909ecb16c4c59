"""From the bytes of an OTLP request to a verdict: what is kept, as a frame of a batch, and what is refused. Pure."""

import hashlib
from collections import Counter
from dataclasses import dataclass

from backports import zstd
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

NO_TRACE_ID = bytes(16)
NO_SPAN_ID = bytes(8)
VARINT_LAST_BYTE = 0x7F  # a larger rest needs another byte
LAST_KIND = max(Span.SpanKind.values())
LAST_STATUS_CODE = 2  # STATUS_CODE_ERROR, opentelemetry/proto/trace/v1/trace.proto
NANOSECONDS_A_DAY = 86_400 * 10**9
MAX_FUTURE_NS = NANOSECONDS_A_DAY  # clocks disagree, time zones get lost; a day covers both
ZSTD_LEVEL = 1


class MalformedRequest(Exception):
    """The bytes are no ExportTraceServiceRequest; sending them again cannot help."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of one request.

    `frame` holds the accepted spans as one zstd frame of a length-delimited ingest/otlp.proto Envelope, and is empty
    where no span was accepted. `digest` is the same for the same bytes of the same tenant. `raw_bytes` is the frame's
    size before compression. `message` says why spans were rejected.
    """

    frame: bytes
    digest: bytes
    raw_bytes: int
    accepted_spans: int
    rejected_spans: int
    message: str


def examine(body: bytes, *, tenant: str, now_ns: int, retention_days: int) -> Verdict:
    """Judge one ExportTraceServiceRequest (OTLP 1.x, protobuf).

    Spans are refused one by one; the others go on as the bytes that the client sent, or, where some were refused, as
    the rest written anew. Raises MalformedRequest.
    """
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise MalformedRequest("The request is not a protobuf ExportTraceServiceRequest of OTLP.") from error
    earliest_ns = now_ns - retention_days * NANOSECONDS_A_DAY
    latest_ns = now_ns + MAX_FUTURE_NS
    reasons: Counter[str] = Counter()
    accepted = 0
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            refused = [
                (position, reason)
                for position, span in enumerate(scope_spans.spans)
                if (reason := fault_of(span, earliest_ns, latest_ns))
            ]
            for position, reason in reversed(refused):
                del scope_spans.spans[position]
                reasons[reason] += 1
            accepted += len(scope_spans.spans)
    kept = request.SerializeToString() if reasons else body
    frame, raw_bytes = enclose(kept, tenant) if accepted else (b"", 0)
    return Verdict(
        frame=frame,
        digest=digest_of(body, tenant),
        raw_bytes=raw_bytes,
        accepted_spans=accepted,
        rejected_spans=reasons.total(),
        message=". ".join(f"{count} rejected: {reason}" for reason, count in reasons.most_common()),
    )


def fault_of(span: Span, earliest_ns: int, latest_ns: int) -> str:
    """Return why a span can't be stored, in words for whoever sent it, or '' where it can."""
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    if len(span.trace_id) != len(NO_TRACE_ID) or span.trace_id == NO_TRACE_ID:
        return "trace_id must be 16 bytes, not all zero"
    if len(span.span_id) != len(NO_SPAN_ID) or span.span_id == NO_SPAN_ID:
        return "span_id must be 8 bytes, not all zero"
    if len(span.parent_span_id) not in (0, len(NO_SPAN_ID)):
        return "parent_span_id must be empty or 8 bytes"
    if end_ns < start_ns:
        return "end_time_unix_nano is before start_time_unix_nano"
    if start_ns < earliest_ns:
        return "start_time_unix_nano is further back than spans are kept"
    if end_ns > latest_ns:
        return "end_time_unix_nano is more than a day ahead"
    if not 0 <= span.kind <= LAST_KIND:
        return f"kind must be 0 to {LAST_KIND}"
    if not 0 <= span.status.code <= LAST_STATUS_CODE:
        return f"status.code must be 0 to {LAST_STATUS_CODE}"
    return ""


def digest_of(body: bytes, tenant: str) -> bytes:
    """Return 16 bytes that are the same only for the same bytes of the same tenant."""
    digest = hashlib.blake2b(tenant.encode() + b"\0", digest_size=16)
    digest.update(body)
    return digest.digest()


def enclose(request: bytes, tenant: str) -> tuple[bytes, int]:
    """Return a request as a frame of a batch, and the size in bytes that it has before compression.

    A bytes field and a sub-message have the same wire form (protobuf encoding, "Length-Delimited Records"), so the
    envelope is a few bytes in front of what the client sent.
    """
    name = tenant.encode()
    head = b"\x0a" + varint(len(name)) + name + b"\x12" + varint(len(request))
    message = varint(len(head) + len(request)) + head + request
    return zstd.compress(message, ZSTD_LEVEL), len(message)


def varint(value: int) -> bytes:
    """Return an unsigned integer as a protobuf varint (protobuf encoding, "Base 128 Varints")."""
    encoded = bytearray()
    while value > VARINT_LAST_BYTE:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
