"""What the intake keeps, what it refuses, and in which words."""

import subprocess
import sys
import time

import pytest
from backports import zstd
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.intake import NANOSECONDS_A_DAY, MalformedRequest, Verdict, examine, varint
from tests.otlp import request, span
from tests.processes import ROOT

NOW_NS = time.time_ns()
CENTURY_NS = 100 * 365 * NANOSECONDS_A_DAY


def judge(body: bytes, tenant: str = "default") -> Verdict:
    return examine(body, tenant=tenant, now_ns=NOW_NS, retention_days=30)


def test_it_passes_on_the_bytes_that_the_client_sent() -> None:
    body = request(span(attributes={"a": 1})).SerializeToString()
    verdict = judge(body)
    assert zstd.decompress(verdict.frame).endswith(body)
    assert (verdict.accepted_spans, verdict.rejected_spans, verdict.message) == (1, 0, "")


def test_it_accepts_an_empty_request_and_has_nothing_to_queue() -> None:
    verdict = judge(b"")
    assert (verdict.frame, verdict.accepted_spans, verdict.rejected_spans) == (b"", 0, 0)


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"not protobuf", b"\x0a\x05ab"])
def test_it_calls_bytes_that_are_no_protobuf_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest, match="not a protobuf"):
        judge(body)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (span(trace_id=b"\1" * 15), "trace_id must be 16 bytes"),
        (span(trace_id=b"\1" * 17), "trace_id must be 16 bytes"),
        (span(trace_id=bytes(16)), "not all zero"),
        (span(span_id=b"\1" * 7), "span_id must be 8 bytes"),
        (span(span_id=bytes(8)), "not all zero"),
        (span(parent_span_id=b"\1" * 9), "parent_span_id must be"),
        (span(start_ns=0), "further back than spans are kept"),
        (span(start_ns=NOW_NS - 31 * NANOSECONDS_A_DAY), "further back than spans are kept"),
        (span(start_ns=NOW_NS + 274 * CENTURY_NS // 100), "more than a day ahead"),
        (Span(trace_id=b"\1" * 16, span_id=b"\1" * 8, start_time_unix_nano=NOW_NS, end_time_unix_nano=1), "is before"),
        (Span(trace_id=b"\1" * 16, span_id=b"\1" * 8, start_time_unix_nano=NOW_NS), "is before"),
        (span(kind=6), "kind must be 0 to 5"),
        (span(kind=-1), "kind must be 0 to 5"),
        (span(status=3), "status.code must be 0 to 2"),
    ],
)
def test_it_refuses_a_bad_span_alone_and_says_why(bad: Span, reason: str) -> None:
    good = span("good")
    verdict = judge(request(bad, good).SerializeToString())
    assert (verdict.accepted_spans, verdict.rejected_spans) == (1, 1)
    assert reason in verdict.message
    kept = request(good).SerializeToString()
    assert zstd.decompress(verdict.frame).endswith(kept)


def test_it_counts_each_reason_once() -> None:
    verdict = judge(request(span(kind=9), span(kind=9), span(status=9)).SerializeToString())
    assert verdict.message == "2 rejected: kind must be 0 to 5. 1 rejected: status.code must be 0 to 2"
    assert verdict.frame == b""


def test_it_accepts_trace_ids_with_eight_zero_bytes_in_front() -> None:
    assert judge(request(span(trace_id=bytes(8) + b"\1" * 8)).SerializeToString()).accepted_spans == 1


def test_it_knows_the_same_bytes_again_but_not_for_another_tenant() -> None:
    body = request(span()).SerializeToString()
    assert judge(body).digest == judge(body).digest
    assert judge(body).digest != judge(body, tenant="other").digest


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (2**32, b"\x80\x80\x80\x80\x10")],
)
def test_it_writes_varints_as_protobuf_does(value: int, encoded: bytes) -> None:
    assert varint(value) == encoded


def enclosed(tag: int, body: bytes) -> bytes:
    """Return a length-delimited field."""
    return bytes([tag]) + varint(len(body)) + body


def in_span(body: bytes) -> bytes:
    return enclosed(0x0A, enclosed(0x12, enclosed(0x12, body)))


MANY = 4_000_000
ATTRIBUTE, VALUE, ARRAY, ITEM = 0x4A, 0x12, 0x2A, 0x0A


UNFOLDING = {
    "resources": b"\x0a\x00" * MANY,
    "scopes": enclosed(0x0A, b"\x12\x00" * MANY),
    "spans": enclosed(0x0A, enclosed(0x12, b"\x12\x00" * MANY)),
    "spans of many scopes": enclosed(0x0A, enclosed(0x12, b"\x12\x00" * 400_000)) * 10,
    "attributes": in_span(b"\x4a\x00" * MANY),
    "events": in_span(b"\x5a\x00" * MANY),
    "an array": in_span(enclosed(ATTRIBUTE, enclosed(VALUE, enclosed(ARRAY, bytes([ITEM, 0]) * MANY)))),
    "attributes of a resource": enclosed(0x0A, enclosed(0x0A, b"\x0a\x00" * MANY)),
}


@pytest.mark.parametrize("body", UNFOLDING.values(), ids=UNFOLDING)
def test_it_refuses_a_request_that_would_unfold(body: bytes) -> None:
    with pytest.raises(MalformedRequest, match="has more than"):
        judge(body)


@pytest.mark.parametrize("name", ["spans", "attributes", "an array"])
def test_it_does_not_unfold_what_it_refuses(name: str) -> None:
    measure = f"""
import resource
from tests.ingest.test_intake import UNFOLDING, MalformedRequest, judge
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    judge(UNFOLDING["{name}"])
except MalformedRequest:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown_kb = subprocess.run(
        [sys.executable, "-c", measure], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    assert int(grown_kb) * 1024 < 10 * len(UNFOLDING[name])  # unfolded it would be eighty times its size


def test_it_takes_a_span_with_very_long_texts() -> None:
    long = span(attributes={"gen_ai.input.messages": "word " * 1_000_000, "gen_ai.output.messages": "word " * 500_000})
    assert judge(request(long).SerializeToString()).accepted_spans == 1


def test_it_refuses_a_span_with_too_many_attributes_alone() -> None:
    many = span(attributes={f"key.{number}": number for number in range(4097)})
    verdict = judge(request(many, span()).SerializeToString())
    assert (verdict.accepted_spans, verdict.rejected_spans) == (1, 1)
    assert "at most 4096 attributes" in verdict.message
    most = span(attributes={f"key.{number}": number for number in range(4096)})
    assert judge(request(most).SerializeToString()).accepted_spans == 1


def test_it_refuses_spans_whose_resource_would_be_repeated_too_often() -> None:
    resource = {"service.name": "s" * 1_000_000}
    verdict = judge(request(*(span() for _ in range(100)), resource=resource).SerializeToString())
    assert 0 < verdict.rejected_spans < 100
    assert verdict.accepted_spans + verdict.rejected_spans == 100
    assert "too long for so many spans" in verdict.message
    assert verdict.raw_bytes > verdict.accepted_spans * 900_000


def test_it_counts_what_a_request_takes_of_clickhouse() -> None:
    event, link = Span.Event(name="e"), Span.Link(trace_id=b"\1" * 16, span_id=b"\1" * 8)
    spans = [span(attributes={"a": 1, "b": 2}, events=[event], links=[link]), span(kind=9, attributes={"c": 3})]
    assert judge(request(*spans, resource={"service.name": "s", "x": 1}).SerializeToString()).values == 6


def test_what_a_client_sends_in_pieces_is_judged_as_a_whole() -> None:
    bad = request(span(kind=9)).SerializeToString()
    good = request(span("good")).SerializeToString()
    verdict = judge(bad + good + bad)
    assert (verdict.accepted_spans, verdict.rejected_spans) == (1, 2)
