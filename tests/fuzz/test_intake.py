"""Any bytes into the intake: it takes them or says why not, and whatever it takes ClickHouse can write."""

import time

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.intake import NO_TRACE_ID, MalformedRequest, Verdict, examine, varint
from tests import captures
from tests.fuzz.mutations import FIXED32, FIXED64, GROUP_END, GROUP_START, LENGTH, VARINT, Mutator
from tests.fuzz.plugin import Tally
from tests.fuzz.seeds import seeds
from tests.fuzz.writing import Accepted, unwritable

REQUESTS = 3000
REQUESTS_A_BATCH = 500
TRACES_READ_A_BATCH = 4
ENOUGH_CRASHES = 10


def judge(body: bytes) -> Verdict:
    return examine(body, tenant="default", now_ns=time.time_ns(), retention_days=30)


@pytest.mark.django_db  # which is asked who held a GPU when a span named none
def test_mutated_requests_are_judged_and_what_is_kept_is_written_and_read(
    clickhouse: ClickHouse, client: Client, tally: Tally
) -> None:
    mutator = Mutator(seeds(), tally.dice)
    waiting: list[Accepted] = []

    def write() -> None:
        for fault in unwritable(clickhouse, waiting, most=ENOUGH_CRASHES):
            tally.crash(fault)
        traces = {trace for one in waiting for trace in trace_ids(one.body)}
        for trace in sorted(traces)[:TRACES_READ_A_BATCH]:
            answer = client.get(f"/api/v1/traces/{trace}")
            if answer.status_code not in (200, 404):  # 404 where another fault than the id's had the span refused
                tally.crash(f"GET /api/v1/traces/{trace}: {answer.status_code} {answer.content[:300]!r}")
        waiting.clear()

    for _ in range(REQUESTS * tally.times):
        if len(tally.crashes) >= ENOUGH_CRASHES:
            break
        body = mutator.structured() if mutator.dice.random() < 0.7 else mutator.torn()
        verdict = judged(body, tally)
        if verdict is not None and verdict.frame:
            waiting.append(Accepted(body, verdict))
        if len(waiting) == REQUESTS_A_BATCH:
            write()
    write()
    tally.settle()


def judged(body: bytes, tally: Tally) -> Verdict | None:
    """Count what becomes of a request; return the verdict where there is one."""
    try:
        verdict = judge(body)
    except MalformedRequest:
        tally.count("malformed")
        return None
    except Exception as error:  # noqa: BLE001  that is what is looked for
        tally.crash(f"{error!r}\nRequest: {body.hex()}")
        return None
    tally.count("accepted" if verdict.frame else "rejected")
    return verdict


def trace_ids(body: bytes) -> set[str]:
    spans = captures.spans_of(ExportTraceServiceRequest.FromString(body))
    return {span.trace_id.hex() for span in spans if len(span.trace_id) == len(NO_TRACE_ID)}


def tag(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def field(number: int, content: bytes) -> bytes:
    return tag(number, LENGTH) + varint(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    return tag(number, VARINT) + varint(value)


def group(number: int, content: bytes) -> bytes:
    return tag(number, GROUP_START) + content + tag(number, GROUP_END)


def attribute(value: bytes) -> bytes:
    return field(9, field(1, b"key") + field(2, value))


TEXT, INT, TRUE = field(1, b"text"), number_field(3, 5), number_field(2, 1)
TRACE_ID = field(1, b"\1" * 16)
# What protobuf's parser takes in a span and ClickHouse's may not: behind a span's usual fields …
IN_A_SPAN = {
    "a text as a varint": number_field(5, 7),
    "an id as a varint": number_field(1, 7),
    "an enum as a text": field(6, b"abc"),
    "an enum as an empty text": field(6, b""),
    "an enum as a fixed64": tag(6, FIXED64) + bytes(8),
    "a time as a varint": number_field(7, 1),
    "attributes as a varint": number_field(9, 1),
    "attributes as a fixed64": tag(9, FIXED64) + bytes(8),
    "a status as a varint": number_field(15, 1),
    "flags as a varint": number_field(16, 1),
    "a link as a fixed32": tag(13, FIXED32) + bytes(4),
    "a group of an unknown number": group(99, number_field(1, 1)),
    "an empty group": group(99, b""),
    "a group of a known number": group(5, b""),
    "groups in groups": group(99, group(98, field(1, b"x"))),
    "an unknown text that is no UTF-8": field(99, b"\xff\xfe"),
    "an unknown field of the last number": number_field(2**29 - 1, 1),
    "two members of a oneof": attribute(TEXT + INT),
    "two members of a oneof, the other way": attribute(INT + TEXT),
    "a member twice": attribute(INT + INT),
    "an array twice": attribute(field(5, field(1, TEXT)) + field(5, field(1, INT))),
    "two values of an attribute": field(9, field(1, b"key") + field(2, TEXT) + field(2, INT)),
    "a value as a varint": field(9, field(1, b"key") + number_field(2, 1)),
    "a key as a varint": field(9, number_field(1, 1) + field(2, INT)),
    "a text member as a varint": attribute(number_field(1, 1)),
    "a double member as a varint": attribute(number_field(4, 1)),
    "an int member as a fixed64": attribute(tag(3, FIXED64) + bytes(8)),
    "an int member in ten bytes": attribute(tag(3, VARINT) + b"\x85" + b"\x80" * 8 + b"\x00"),
    "an event's attribute as a varint": field(11, number_field(3, 2)),
    "a bool of two": attribute(number_field(2, 2)),
    "a bool of 256": attribute(number_field(2, 256)),
    "a bool of 2^63": attribute(number_field(2, 2**63)),
    "a kind of 33 bits": number_field(6, 2**32 + 1),
    "a kind of 64 bits": number_field(6, 2**64 - 2**32 + 1),
    "a status code of 33 bits": field(15, number_field(3, 2**32 + 1)),
    "a count of 33 bits": number_field(10, 2**32 + 1),
    "a count of 64 bits": number_field(10, 2**64 - 1),
    "a kind in ten bytes": tag(6, VARINT) + b"\x81" + b"\x80" * 8 + b"\x00",
    "a tag in five bytes": b"\xb0\x80\x80\x80\x00\x01",
    "an id too long, then the right one": field(4, b"a" * 30) + field(4, b"a" * 8),
    "a status twice": field(15, number_field(3, 2)) + field(15, field(2, b"m")),
    "empty messages": field(9, b"") + field(11, b"") + field(13, b"") + field(15, b""),
}
# … and around it.
AROUND_A_SPAN = {
    "a group beside resource_spans": (group(99, number_field(1, 1)), b"", b""),
    "resource_spans as a varint": (number_field(1, 5), b"", b""),
    "a group beside scope_spans": (b"", group(99, number_field(1, 1)), b""),
    "scope_spans as a varint": (b"", number_field(2, 5), b""),
    "a resource as a varint": (b"", number_field(1, 5), b""),
    "a resource twice": (b"", field(1, b"") + field(1, field(1, field(1, b"a") + field(2, TEXT))), b""),
    "a resource's attribute with two values": (b"", field(1, field(1, field(1, b"a") + field(2, TEXT + INT))), b""),
    "a resource's attributes as a varint": (b"", field(1, number_field(1, 1)), b""),
    "a group in a resource": (b"", field(1, group(99, TRUE)), b""),
    "a scope as a varint": (b"", b"", number_field(1, 5)),
    "a scope's name as a varint": (b"", b"", field(1, number_field(1, 5))),
    "a group beside spans": (b"", b"", group(99, b"")),
    "spans as a varint": (b"", b"", number_field(2, 5)),
    "a scope twice": (b"", b"", field(1, field(1, b"a")) + field(1, field(2, b"b"))),
}


def plain_span() -> bytes:
    times = b"".join(tag(number, FIXED64) + time.time_ns().to_bytes(8, "little") for number in (7, 8))
    return TRACE_ID + field(2, b"\2" * 8) + times + field(5, b"name")


def request_of(span: bytes, beside: tuple[bytes, bytes, bytes] = (b"", b"", b"")) -> bytes:
    """Return a request of one span, with bytes beside its resource_spans, its scope_spans and itself."""
    beside_resource, beside_scope, beside_span = beside
    return field(1, field(2, field(2, span) + beside_span) + beside_scope) + beside_resource


def check(clickhouse: ClickHouse, body: bytes) -> None:
    """Accept and store, or refuse, but nothing between."""
    verdict = judge(body)
    assert verdict.accepted_spans + verdict.rejected_spans == 1
    if verdict.frame:
        assert unwritable(clickhouse, [Accepted(body, verdict)], most=1) == []


@pytest.mark.parametrize("name", IN_A_SPAN)
def test_what_protobuf_takes_in_a_span_clickhouse_takes_too(clickhouse: ClickHouse, name: str) -> None:
    check(clickhouse, request_of(plain_span() + IN_A_SPAN[name]))


@pytest.mark.parametrize("name", AROUND_A_SPAN)
def test_what_protobuf_takes_around_a_span_clickhouse_takes_too(clickhouse: ClickHouse, name: str) -> None:
    check(clickhouse, request_of(plain_span(), AROUND_A_SPAN[name]))


def test_an_id_too_long_before_the_right_one_does_not_reach_clickhouse(clickhouse: ClickHouse) -> None:
    check(clickhouse, request_of(field(1, b"a" * 30) + plain_span()))
