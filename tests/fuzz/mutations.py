"""Breaks bytes on purpose: any bytes at random, and protobuf by its structure, so that most of it still parses."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from google.protobuf.descriptor import Descriptor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.intake import varint

VARINT, FIXED64, LENGTH, GROUP_START, GROUP_END, FIXED32 = range(6)
FIXED_BYTES = {FIXED64: 8, FIXED32: 4}
EXTREMES = (
    0,
    1,
    2,
    3,
    5,
    6,
    127,
    128,
    255,
    256,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**32 + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
ODD_BYTES = (b"", b"\0", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"a" * 8, b"a" * 15, b"a" * 16, b"a" * 17, b"x" * 300)
LAST_FIELD = 2**29 - 1
MAX_DEPTH = 110  # protobuf reads a hundred messages deep


@dataclass
class Field:
    """One field as it stands on the wire; `children` where the schema says that it is a message."""

    number: int
    wire: int
    content: bytes  # with a length-delimited one, what follows the length
    children: list["Field"] | None = None
    message: Descriptor | None = None

    def encode(self) -> bytes:
        content = self.content if self.children is None else encode(self.children)
        length = varint(len(content)) if self.wire == LENGTH else b""
        return varint(self.number << 3 | self.wire) + length + content


@dataclass
class Node:
    """A message of the tree: its fields, and what the schema calls it."""

    fields: list[Field]
    message: Descriptor


@dataclass
class Mutator:
    """Turns valid requests into others, the same ones for the same seed."""

    seeds: Sequence[bytes]
    dice: random.Random
    _trees: dict[int, bytes] = field(default_factory=dict)

    def structured(self) -> bytes:
        """Return a request with a few fields repeated, dropped, moved, made strange, or of another wire type."""
        fields = parse(self.dice.choice(self.seeds), ExportTraceServiceRequest.DESCRIPTOR)
        for _ in range(self.dice.choice((1, 1, 1, 2, 4))):
            nodes = list(_nodes(Node(fields, ExportTraceServiceRequest.DESCRIPTOR)))
            self.dice.choice(MUTATIONS)(self.dice, self.dice.choice(nodes))
        return encode(fields)

    def torn(self) -> bytes:
        """Return a request with bytes flipped, cut, doubled, or put in; at times nothing but noise."""
        body = bytearray(self.dice.choice(self.seeds))
        if self.dice.random() < 0.05:
            return self.dice.randbytes(self.dice.randrange(200))
        for _ in range(self.dice.choice((1, 1, 2, 8))):
            at = self.dice.randrange(len(body) + 1)
            match self.dice.randrange(5):
                case 0 if body:
                    body[at % len(body)] ^= 1 << self.dice.randrange(8)
                case 1 if body:
                    body[at % len(body)] = self.dice.choice((0, 1, 0x7F, 0x80, 0xFF))
                case 2:
                    del body[at : at + self.dice.randrange(1, 20)]
                case 3:
                    body[at:at] = self.dice.choice((*ODD_BYTES, self.dice.randbytes(4)))
                case _:
                    other = self.dice.choice(self.seeds)
                    start = self.dice.randrange(len(other) + 1)
                    body[at:at] = other[start : start + self.dice.randrange(1, 200)]
        return bytes(body)


def parse(body: bytes, message: Descriptor) -> list[Field]:
    """Return the fields of a valid message, those that are messages themselves taken apart as well."""
    fields = []
    at = 0
    while at < len(body):
        tag, at = _varint_at(body, at)
        number, wire = tag >> 3, tag & 7
        begin = at
        if wire == VARINT:
            _, at = _varint_at(body, at)
        elif wire == LENGTH:
            size, begin = _varint_at(body, at)
            at = begin + size
        else:
            at += FIXED_BYTES[wire]
        known = message.fields_by_number.get(number)
        inner = known.message_type if known is not None and wire == LENGTH else None
        content = body[begin:at]
        fields.append(Field(number, wire, content, parse(content, inner) if inner else None, inner))
    return fields


def encode(fields: Sequence[Field]) -> bytes:
    return b"".join(one.encode() for one in fields)


def _nodes(node: Node) -> list[Node]:
    found = [node]
    for one in node.fields:
        if one.children is not None and one.message is not None:
            found += _nodes(Node(one.children, one.message))
    return found


def _varint_at(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _overlong(value: int, length: int) -> bytes:
    """Return a varint that takes more bytes than it must."""
    short = varint(value)
    if len(short) >= length:
        return short
    return bytes([*(byte | 0x80 for byte in short), *[0x80] * (length - len(short) - 1), 0])


def _content(dice: random.Random, wire: int) -> bytes:
    match wire:
        case 0:
            value = dice.choice((*EXTREMES, dice.randrange(2**64)))
            return _overlong(value, dice.randint(2, 11)) if dice.random() < 0.2 else varint(value)
        case 1 | 5:
            return dice.choice((bytes(8), b"\xff" * 8, dice.randbytes(8)))[: FIXED_BYTES[wire]]
        case 2:
            return dice.choice((*ODD_BYTES, dice.randbytes(12), encode([_random_field(dice, dice.randrange(1, 10))])))
        case 3:
            inner = _random_field(dice, dice.randrange(1, 20))
            return inner.encode() + varint(inner.number << 3 | GROUP_END)
    return b""


def _random_field(dice: random.Random, number: int) -> Field:
    wire = dice.choice((VARINT, FIXED64, LENGTH, FIXED32))
    return Field(number, wire, _content(dice, wire))


def _group(dice: random.Random, number: int) -> Field:
    inner = _random_field(dice, dice.randrange(1, 20)).encode() if dice.random() < 0.7 else b""
    return Field(number, GROUP_START, inner + varint(number << 3 | GROUP_END))


def _some_number(dice: random.Random, node: Node) -> int:
    return dice.choice((*node.message.fields_by_number, 17, 99, 1000, LAST_FIELD))


def _repeat(dice: random.Random, node: Node) -> None:
    if node.fields:
        node.fields.insert(dice.randrange(len(node.fields) + 1), dice.choice(node.fields))


def _drop(dice: random.Random, node: Node) -> None:
    if node.fields:
        del node.fields[dice.randrange(len(node.fields))]


def _shuffle(dice: random.Random, node: Node) -> None:
    dice.shuffle(node.fields)


def _add(dice: random.Random, node: Node) -> None:
    node.fields.insert(dice.randrange(len(node.fields) + 1), _random_field(dice, _some_number(dice, node)))


def _add_group(dice: random.Random, node: Node) -> None:
    node.fields.insert(dice.randrange(len(node.fields) + 1), _group(dice, _some_number(dice, node)))


def _revalue(dice: random.Random, node: Node) -> None:
    """Give a field another content of its own wire type."""
    if node.fields:
        at = dice.randrange(len(node.fields))
        one = node.fields[at]
        node.fields[at] = Field(one.number, one.wire, _content(dice, one.wire))


def _retype(dice: random.Random, node: Node) -> None:
    """Give a field another wire type."""
    if node.fields:
        at = dice.randrange(len(node.fields))
        node.fields[at] = _random_field(dice, node.fields[at].number)


def _renumber(dice: random.Random, node: Node) -> None:
    if node.fields:
        one = dice.choice(node.fields)
        node.fields.append(Field(_some_number(dice, node), one.wire, one.content, one.children, one.message))


def _empty(dice: random.Random, node: Node) -> None:
    if node.fields:
        one = dice.choice(node.fields)
        if one.wire == LENGTH:
            one.content, one.children = b"", None


def _deepen(dice: random.Random, node: Node) -> None:
    """Put an attribute there whose value is arrays in arrays."""
    value = b"\x08\x01"
    for _ in range(dice.choice((1, 5, 40, MAX_DEPTH))):
        value = Field(5, LENGTH, Field(1, LENGTH, value).encode()).encode()
    number = next((one.number for one in node.message.fields if one.name == "attributes"), 9)
    node.fields.append(Field(number, LENGTH, Field(1, LENGTH, b"deep").encode() + Field(2, LENGTH, value).encode()))


def _both(dice: random.Random, node: Node) -> None:
    """Set the message's fields once more: of a oneof two members, of a singular field two values."""
    for number, known in node.message.fields_by_number.items():
        if dice.random() < 0.3:
            wire = {known.CPPTYPE_STRING: LENGTH, known.CPPTYPE_MESSAGE: LENGTH, known.CPPTYPE_DOUBLE: FIXED64}.get(
                known.cpp_type, FIXED64 if known.type == known.TYPE_FIXED64 else VARINT
            )
            node.fields.append(Field(number, wire, b"" if known.message_type else _content(dice, wire)))


Mutation = Callable[[random.Random, Node], None]
MUTATIONS: tuple[Mutation, ...] = (
    _repeat, _drop, _shuffle, _add, _add_group, _revalue, _retype, _renumber, _empty, _deepen, _both,
)  # fmt: skip
