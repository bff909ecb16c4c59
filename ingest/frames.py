"""A batch taken apart again: its frames, the request in each, and a request of only some of its spans. Pure."""

from collections.abc import Container
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from backports import zstd
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, proto
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.outline import RequestOutline, ResourceSpansOutline, ScopeSpansOutline

FRAME_MAX_BYTES = 256 * 1024 * 1024  # after decompression; far above any request that the receiver takes


class Damaged(Exception):
    """The bytes are not what the receiver wrote."""


@dataclass(frozen=True)
class Enclosed:
    """What one frame holds: whose request it is, its bytes, and how many spans are in it."""

    tenant: str
    request: bytes
    spans: int


def _envelope_class() -> Any:
    """Return the Envelope of ingest/otlp.proto, its request left as bytes."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="axonize/envelope.proto", package="axonize", syntax="proto3")
    message = file.message_type.add(name="Envelope")
    message.field.add(name="tenant", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    message.field.add(name="request", number=2, type=field.TYPE_BYTES, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("axonize.Envelope"))


_Envelope = _envelope_class()


def frames_of(batch: bytes) -> tuple[list[bytes], bytes]:
    """Return the zstd frames of a batch, and what is left of it where no frame begins or one is cut short."""
    frames: list[bytes] = []
    rest = memoryview(batch)
    while rest:
        try:
            size = zstd.get_frame_size(rest)
        except zstd.ZstdError:
            break
        frames.append(bytes(rest[:size]))
        rest = rest[size:]
    return frames, bytes(rest)


def is_cut_short(batch: bytes) -> bool:
    """Tell whether a batch ends in bytes that are no whole frame. Looks at the heads of frames and blocks only."""
    rest = memoryview(batch)
    try:
        while rest:
            rest = rest[zstd.get_frame_size(rest) :]
    except zstd.ZstdError:
        return True
    return False


def opened(frame: bytes) -> Enclosed:
    """Return what a frame holds. Raises Damaged, also for a request whose spans can't be told apart."""
    decompressor = zstd.ZstdDecompressor()
    try:
        message = BytesIO(decompressor.decompress(frame, max_length=FRAME_MAX_BYTES))
        envelope = proto.parse_length_prefixed(_Envelope, message)
        if envelope is None or message.read(1) or not decompressor.eof:
            raise Damaged("The frame holds no single message.")
        return Enclosed(envelope.tenant, envelope.request, spans_in(envelope.request))
    except (zstd.ZstdError, DecodeError, EOFError, ValueError) as error:
        raise Damaged(f"The frame can't be read: {error}") from error


def spans_in(request: bytes) -> int:
    """Return how many spans an ExportTraceServiceRequest has. Raises DecodeError."""
    return sum(
        len(ScopeSpansOutline.FromString(scope_spans).spans)
        for resource_spans in RequestOutline.FromString(request).resource_spans
        for scope_spans in ResourceSpansOutline.FromString(resource_spans).scope_spans
    )


def rewritten(request: bytes) -> bytes:
    """Return a request as protobuf writes it today, without what OTLP does not know. Raises DecodeError.

    What comes from outside may say the same in other bytes, such as a field twice or of another type, which then is
    not known: protobuf takes that by its rules (encoding, "Last One Wins", "Unknown Fields"), ClickHouse does not.
    """
    message = ExportTraceServiceRequest.FromString(request)
    message.DiscardUnknownFields()
    return message.SerializeToString()


def with_only(request: bytes, numbers: Container[int]) -> bytes:
    """Return a request with only the spans of those numbers, counted from 0, under their resources and scopes.

    Each span stays the bytes that it was. Raises DecodeError.
    """
    number = 0
    whole = RequestOutline.FromString(request)
    kept_resources: list[bytes] = []
    for resource_body in whole.resource_spans:
        resource_spans = ResourceSpansOutline.FromString(resource_body)
        kept_scopes: list[bytes] = []
        for scope_body in resource_spans.scope_spans:
            scope_spans = ScopeSpansOutline.FromString(scope_body)
            kept = [span for at, span in enumerate(scope_spans.spans, number) if at in numbers]
            number += len(scope_spans.spans)
            if kept:
                scope_spans.spans[:] = kept
                kept_scopes.append(scope_spans.SerializeToString())
        if kept_scopes:
            resource_spans.scope_spans[:] = kept_scopes
            kept_resources.append(resource_spans.SerializeToString())
    whole.resource_spans[:] = kept_resources
    return bytes(whole.SerializeToString())
