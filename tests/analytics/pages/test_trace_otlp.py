"""The download of a trace: sent on to another tenant, it is the same trace there."""

import json
import os
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.test import Client
from hypothesis import HealthCheck, given, settings, strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.otlp_json import to_protobuf
from tests import captures
from tests.conftest import Ingest
from tests.fuzz import messages
from tests.keys import bearer, make_key
from tests.otlp import ERROR, gpu, key_values, request, span

pytestmark = pytest.mark.django_db

OTHER = "other"


def download(client: Client, trace_id: str) -> bytes:
    answer = client.get(f"/traces/{trace_id}/otlp")
    assert answer.status_code == 200
    assert isinstance(answer, StreamingHttpResponse)
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"] == f'attachment; filename="trace-{trace_id}.json"'
    return answer.getvalue()


def shown(client: Client, trace_id: str, key: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/v1/traces/{trace_id}", headers=bearer(key) if key else {})
    assert answer.status_code == 200, answer.content
    trace: dict[str, Any] = json.loads(answer.content)
    return trace


@pytest.fixture
def other_key() -> str:
    return make_key(OTHER)


def send_on(ingest: Ingest, client: Client, trace_id: str) -> None:
    """Send the download to the other tenant, as a receiver takes OTLP's JSON."""
    [verdict] = ingest(to_protobuf(download(client, trace_id)), tenant=OTHER)
    assert verdict.message == ""


@pytest.mark.parametrize("name", captures.NAMES)
def test_a_recorded_trace_sent_on_is_the_same(name: str, ingest: Ingest, client: Client, other_key: str) -> None:
    requests = captures.load(name)
    ingest(*requests)
    traces = {one.trace_id.hex() for each in requests for one in captures.spans_of(each)}
    for trace_id in traces:
        send_on(ingest, client, trace_id)
        assert shown(client, trace_id, other_key) == shown(client, trace_id)


def test_any_trace_sent_on_is_the_same(ingest: Ingest, client: Client, other_key: str) -> None:
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(material=messages.materials, dice=st.randoms(use_true_random=True))
    def examples(material: messages.Material, dice: Any) -> None:
        trace_id = os.urandom(15) + b"\1"
        made = without_keys_sent_twice(messages.deal(material, dice, trace_id=trace_id, spans=30))
        [verdict] = ingest(made)
        assert verdict.message == ""
        send_on(ingest, client, trace_id.hex())
        assert shown(client, trace_id.hex(), other_key) == shown(client, trace_id.hex())

    examples()


def without_keys_sent_twice(made: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    """Leave the first of each key: OTLP forbids a second, and in which order they came is not stored."""
    for resource_spans in made.resource_spans:
        lists = [resource_spans.resource.attributes]
        lists += [one.attributes for scope_spans in resource_spans.scope_spans for one in scope_spans.spans]
        for attributes in lists:
            first = {pair.key: pair for pair in reversed(attributes)}
            kept = [pair for pair in attributes if pair is first[pair.key]]
            del attributes[:]
            attributes.extend(kept)
    return made


def test_the_file_is_what_otlp_says(ingest: Ingest, client: Client) -> None:
    sent = span(
        "generate",
        trace_id=b"\x01" * 16,
        span_id=b"\x02" * 8,
        parent_span_id=b"\x03" * 8,
        kind=3,
        status=ERROR,
        message="out of memory",
        trace_state="a=b",
        flags=257,
        dropped_events_count=2,
        attributes={
            "text": "ä", "whole": 2**53 + 1, "share": 0.1, "none": float("nan"), "truth": True,
            "bytes": b"\x00\xff", "list": ["a", 1, None], "map": {"a": 1.5}, "nothing": None,
            **gpu(3, resource_uuid="MIG-1", physical_uuid="GPU-1", utilization=40, power_watts=312.0, clock_mhz=1410),
        },
        events=[Span.Event(time_unix_nano=2**63, name="exception", attributes=key_values({"a": 1}))],
        links=[Span.Link(trace_id=b"\x04" * 16, span_id=b"\x05" * 8, flags=1)],
    )  # fmt: skip
    ingest(request(sent, resource={"service.name": "chat", "process.pid": 7}, scope=("axonize", "1.0")))
    (resource_spans,) = json.loads(download(client, "01" * 16))["resourceSpans"]
    assert resource_spans["resource"] == {
        "attributes": [
            {"key": "service.name", "value": {"stringValue": "chat"}},
            {"key": "process.pid", "value": {"intValue": "7"}},
        ]
    }
    (scope_spans,) = resource_spans["scopeSpans"]
    assert scope_spans["scope"] == {"name": "axonize", "version": "1.0", "attributes": []}
    (found,) = scope_spans["spans"]
    attributes = {pair["key"]: pair["value"] for pair in found.pop("attributes")}
    assert attributes == {
        "text": {"stringValue": "ä"},
        "whole": {"intValue": "9007199254740993"},
        "share": {"doubleValue": 0.1},
        "none": {"doubleValue": "NaN"},
        "truth": {"boolValue": True},
        "bytes": {"bytesValue": "AP8="},
        "list": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}, {}]}},
        "map": {"kvlistValue": {"values": [{"key": "a", "value": {"doubleValue": 1.5}}]}},
        "nothing": {},
        # the numbers of GPUs close up
        "gpu.0.resource_uuid": {"stringValue": "MIG-1"},
        "gpu.0.physical_uuid": {"stringValue": "GPU-1"},
        "gpu.0.utilization": {"doubleValue": 40.0},
        "gpu.0.power_watts": {"intValue": "312"},
        "gpu.0.clock_mhz": {"intValue": "1410"},
    }
    assert found == {
        "traceId": "01" * 16,
        "spanId": "02" * 8,
        "parentSpanId": "03" * 8,
        "traceState": "a=b",
        "flags": 257,
        "name": "generate",
        "kind": 3,
        "startTimeUnixNano": str(sent.start_time_unix_nano),
        "endTimeUnixNano": str(sent.end_time_unix_nano),
        "droppedEventsCount": 2,
        "status": {"code": 2, "message": "out of memory"},
        "events": [
            {
                "timeUnixNano": str(2**63),
                "name": "exception",
                "attributes": [{"key": "a", "value": {"intValue": "1"}}],
            }
        ],
        "links": [{"traceId": "04" * 16, "spanId": "05" * 8, "attributes": [], "flags": 1}],
    }


def test_resources_and_scopes_are_each_said_once_for_the_spans_that_follow(ingest: Ingest, client: Client) -> None:
    trace_id = b"\x06" * 16
    for service in ("a", "b"):
        ingest(*(request(span(trace_id=trace_id), resource={"service.name": service}) for _ in range(3)))
    document = json.loads(download(client, trace_id.hex()))
    assert [[len(scope["spans"]) for scope in one["scopeSpans"]] for one in document["resourceSpans"]] == [[3], [3]]


@pytest.mark.parametrize("trace_id", ["f" * 32, "nonsense"])
@pytest.mark.usefixtures("clickhouse")
def test_there_is_no_file_of_no_trace(client: Client, trace_id: str) -> None:
    assert client.get(f"/traces/{trace_id}/otlp").status_code == 404
