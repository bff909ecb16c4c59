"""OTLP's JSON form becomes the same request as its protobuf form."""

import json

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.intake import MalformedRequest
from ingest.otlp_json import to_protobuf
from tests import captures
from tests.otlp import otlp_json


@pytest.mark.parametrize("name", captures.NAMES)
def test_a_recorded_request_comes_out_the_same(name: str) -> None:
    for request in captures.load(name):
        assert ExportTraceServiceRequest.FromString(to_protobuf(otlp_json(request))) == request


def test_it_takes_upper_case_ids_snake_case_and_unknown_fields() -> None:
    span = {"trace_id": "AB" * 16, "spanId": "CD" * 8, "name": "x", "startTimeUnixNano": 5, "later": {"a": 1}}
    body = {"resource_spans": [{"scope_spans": [{"spans": [span]}]}], "unknown": True}
    request = ExportTraceServiceRequest.FromString(to_protobuf(json.dumps(body).encode()))
    [parsed] = captures.spans_of(request)
    assert (parsed.trace_id, parsed.span_id, parsed.start_time_unix_nano) == (b"\xab" * 16, b"\xcd" * 8, 5)


def test_an_id_that_is_no_hex_is_left_to_be_refused_with_its_span() -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz", "spanId": "0102030405060708"}]}]}]}
    [span] = captures.spans_of(ExportTraceServiceRequest.FromString(to_protobuf(json.dumps(body).encode())))
    assert (span.trace_id, span.span_id) == (b"", b"\1\2\3\4\5\6\7\x08")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [5]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"links": "none"}]}]}]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_it_calls_anything_else_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        to_protobuf(body)
