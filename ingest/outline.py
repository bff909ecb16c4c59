"""The outline of a request: OTLP's messages down to the span, whose bytes stay bytes until each is looked at alone.

An empty message is two bytes on the wire and nearly two hundred once parsed, so a request parsed as a whole could take
a hundred times its size. Span by span, only the largest span counts, and `unfolds_too_far` bounds that one.
"""

from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

UNCOUNTED_BYTES = 1024 * 1024
MOST_FIELDS = 200_000  # of a span, resource or scope: about 20 MB once parsed, a fifth of a second to count
MOST_MESSAGES = 100_000  # ResourceSpans, ScopeSpans and spans of a request: it keeps the receiver busy for 0.4 s

# Field names and numbers as in opentelemetry/proto/trace/v1/trace.proto; a field that must come once is here repeated
# too, for protobuf merges the occurrences of a message, and each of them has to be valid.
_OUTLINE = {
    "Request": {"resource_spans": 1},
    "ResourceSpans": {"resource": 1, "scope_spans": 2},
    "ScopeSpans": {"scope": 1, "spans": 2},
}
SCHEMA_URL = 3  # of both; a text, and looked at only to see that it is one

Fields = dict[int, "Fields"]


class WireType(IntEnum):
    """How a field's value is written (protobuf encoding, "Message Structure"); groups are not in OTLP."""

    VARINT = 0
    FIXED64 = 1
    LENGTH_DELIMITED = 2
    FIXED32 = 5


# The fields that are messages, by number, of what the outline leaves as bytes.
_ANY_VALUE: Fields = {}
_KEY_VALUE: Fields = {2: _ANY_VALUE}
_ANY_VALUE.update({5: {1: _ANY_VALUE}, 6: {1: _KEY_VALUE}})
SPAN_FIELDS: Fields = {9: _KEY_VALUE, 11: {3: _KEY_VALUE}, 13: {4: _KEY_VALUE}, 15: {}}
RESOURCE_FIELDS: Fields = {1: _KEY_VALUE, 3: {}}
SCOPE_FIELDS: Fields = {3: _KEY_VALUE}
OUTLINE_FIELDS: Fields = {}


def _message_classes() -> dict[str, Any]:
    """Return the outline's message classes by name; their fields are `repeated bytes`, but for the schema_url."""
    field = descriptor_pb2.FieldDescriptorProto
    package = "axonize.outline"
    file = descriptor_pb2.FileDescriptorProto(name="axonize/outline.proto", package=package, syntax="proto3")
    for name, fields in _OUTLINE.items():
        message = file.message_type.add(name=name)
        for field_name, number in fields.items():
            message.field.add(name=field_name, number=number, type=field.TYPE_BYTES, label=field.LABEL_REPEATED)
        if name != "Request":
            message.field.add(name="schema_url", number=SCHEMA_URL, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in _OUTLINE}


_CLASSES = _message_classes()
RequestOutline = _CLASSES["Request"]
ResourceSpansOutline = _CLASSES["ResourceSpans"]
ScopeSpansOutline = _CLASSES["ScopeSpans"]


def unfolds_too_far(message: bytes, fields: Fields, *, most: int) -> bool:
    """Tell whether a message has more than `most` fields, those of the messages in it that `fields` names included.

    What is under UNCOUNTED_BYTES unfolds to little, and is not looked at. Bytes that are no protobuf are left to the
    parser.
    """
    return len(message) > UNCOUNTED_BYTES and _count(message, fields, most) > most


def _count(message: bytes, fields: Fields, most: int) -> int:
    """Return the number of fields, as far as the bytes make sense; the count ends once it is over `most`."""
    count = 0
    waiting = [(0, len(message), fields)]
    try:
        while waiting and count <= most:
            at, end, inner_fields = waiting.pop()
            while at < end and count <= most:
                tag, at = _varint(message, at)
                count += 1
                match tag & 7:  # the wire type
                    case WireType.LENGTH_DELIMITED:
                        size, at = _varint(message, at)
                        inner = inner_fields.get(tag >> 3)
                        if inner is not None and size:
                            waiting.append((at, min(at + size, end), inner))
                        at += size
                    case WireType.VARINT:
                        _, at = _varint(message, at)
                    case WireType.FIXED64:
                        at += 8
                    case WireType.FIXED32:
                        at += 4
                    case _:
                        break
    except IndexError:  # a number that the bytes end in
        pass
    return count


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a position, and the position after it (protobuf, "Base 128 Varints")."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
