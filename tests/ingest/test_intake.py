"""What the intake keeps, what it refuses, and in which words."""

import time

import pytest
from backports import zstd
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.intake import NANOSECONDS_A_DAY, MalformedRequest, Verdict, examine, varint
from tests.otlp import request, span

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
