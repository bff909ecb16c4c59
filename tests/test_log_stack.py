"""The log of a whole stack: one request is followed through it by its id, and nothing of a span is in it."""

import base64
import contextlib
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import pytest
import redis
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from pytest_django.fixtures import Settings

from tests.ingest.poison import NO_KIND, frames, sealed
from tests.logs import CANARY, Line, lines_of
from tests.otlp import gpu, otlp_json, request, span
from tests.otlp_clients import EXPORT, JSON, PROTOBUF, post, send_by_sdk
from tests.processes import wait_until
from tests.stack import Laptop, laptop, short_folder


@pytest.fixture(scope="module")
def stack() -> Iterator[Laptop]:
    """Run all processes at the level DEBUG."""
    with short_folder() as folder, laptop(folder, AXONIZE_LOG_FORMAT="json", AXONIZE_LOG_LEVEL="DEBUG") as running:
        yield running


def only(stack: Laptop, part: str, event: str, **fields: str) -> Line:
    """Return the one line of a part that tells this event with these fields, once it is there."""

    def found() -> list[Line]:
        return [
            line
            for who, line in lines_of(stack.process.output)
            if (who, line["event"]) == (part, event) and line.items() >= fields.items()
        ]

    wait_until(found)
    [line] = found()
    return line


def received(stack: Laptop, request_id: str) -> Line:
    return only(stack, "receiver", "request", request_id=request_id)


def written(stack: Laptop, batch_id: str) -> Line:
    return only(stack, "worker", "batch written", batch_id=batch_id)


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_a_request_is_followed_by_its_id_from_the_sdk_through_the_receiver_to_the_worker(
    stack: Laptop, transport: str
) -> None:
    request_id = f"sdk-over-{transport}"
    if transport == "grpc":
        endpoint = f"http://127.0.0.1:{stack.grpc_port}"
        over_grpc = GrpcSpanExporter(endpoint=endpoint, insecure=True, headers={"x-request-id": request_id})
        send_by_sdk(over_grpc, "followed")
        expected: Line = {"method": "Export", "route": EXPORT, "status": "OK"}
    else:
        endpoint = f"http://127.0.0.1:{stack.http_port}/v1/traces"
        send_by_sdk(HttpSpanExporter(endpoint=endpoint, headers={"X-Request-ID": request_id}), "followed")
        expected = {"method": "POST", "route": "/v1/traces", "status": 200}
    line = received(stack, request_id)
    expected_of_any = {"level": "info", "tenant": "default", "spans": 1, "rejected": 0}
    assert line.items() >= (expected | expected_of_any).items()
    assert line["bytes"] > 100
    assert line["duration_ms"] > 0

    batch = written(stack, line["batch_id"])
    assert request_id in batch["request_ids"]
    assert batch == batch | {"level": "info", "attempts": 1}
    assert batch["spans"] >= 1
    assert batch["requests"] >= 1  # other tests' may be in it
    assert batch["bytes"] > 0
    assert batch["duration_ms"] > 0


def trailing_id(call: Any) -> str:
    """Return the request's id that gRPC's answer ended with."""
    return str(dict(call.trailing_metadata())["x-request-id"])


def test_grpc_answers_with_the_id_it_got_or_made_also_where_it_refuses(stack: Laptop) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{stack.grpc_port}") as channel:
        export = channel.unary_unary(EXPORT, None, ExportTraceServiceResponse.FromString)
        body = request(span()).SerializeToString()
        _, call = export.with_call(body, metadata=(("x-request-id", "mine"),), timeout=10)
        assert trailing_id(call) == "mine"
        _, call = export.with_call(body, metadata=(("x-request-id", "not mine"),), timeout=10)
        made = trailing_id(call)
        assert len(made) == 32
        assert received(stack, made)["batch_id"] == "", "the same bytes are in a batch already"
        with pytest.raises(grpc.RpcError) as refusal:
            export(b"no protobuf", metadata=(("x-request-id", "bad"),), timeout=10)
        assert trailing_id(refusal.value) == "bad"
    line = received(stack, "bad")
    assert line.items() >= {"level": "warning", "status": "INVALID_ARGUMENT", "reason": "malformed_request"}.items()


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"no protobuf", PROTOBUF, 400, "malformed_request"),
        (b"x", PROTOBUF | {"content-encoding": "gzip"}, 400, "body_corrupt"),
        (b"", PROTOBUF | {"content-encoding": "br"}, 415, "encoding_unknown"),
        (b"", {"content-type": "text/plain"}, 415, "content_type_unknown"),
        (b"", PROTOBUF | {"authorization": "Bearer wrong"}, 401, "key_refused"),
    ],
)
def test_http_answers_with_the_id_and_the_line_has_the_reason_of_a_refusal(
    stack: Laptop, body: bytes, headers: Mapping[str, str], status: int, reason: str
) -> None:
    request_id = reason.replace("_", "-")
    answered, answer_headers, _ = post(body, {**headers, "x-request-id": request_id}, port=stack.http_port)
    assert (answered, answer_headers["x-request-id"]) == (status, request_id)
    line = received(stack, request_id)
    assert line.items() >= {"level": "warning", "status": status, "reason": reason}.items()


def test_spans_that_are_rejected_are_counted_by_reason(stack: Laptop) -> None:
    body = request(span(), span(trace_id=b"short"), span(kind=9)).SerializeToString()
    assert post(body, PROTOBUF | {"x-request-id": "partly"}, port=stack.http_port)[0] == 200
    line = received(stack, "partly")
    assert (line["spans"], line["rejected"]) == (1, 2)
    assert line["reasons"] == {"trace_id": 1, "kind": 1}


def test_a_probe_is_told_at_debug_only_and_an_odd_address_is_not_repeated(stack: Laptop) -> None:
    post(b"", {"x-request-id": "probe"}, port=stack.http_port, path="/healthz", method="GET")
    assert received(stack, "probe").items() >= {"level": "debug", "route": "/healthz", "status": 200}.items()
    post(b"", {"x-request-id": "odd"}, port=stack.http_port, path=f"/{CANARY}", method="POST")
    assert received(stack, "odd").items() >= {"route": "", "status": 404}.items()


def ask(stack: Laptop, path: str, **headers: str) -> None:
    asked = urllib.request.Request(f"http://127.0.0.1:{stack.web_port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        error.close()


def canary_request(**fields: Any) -> ExportTraceServiceRequest:
    """Return a request that has the canary wherever a text can be."""
    attributes = {
        CANARY: CANARY,
        "gen_ai.request.model": CANARY,
        "gen_ai.input.messages": [CANARY, {CANARY: CANARY}],
        "gen_ai.usage.input_tokens": CANARY,
        **gpu(0, resource_uuid=CANARY, physical_uuid=CANARY, model=CANARY, node_id=CANARY, user_label=CANARY),
    }
    resource = {"service.name": CANARY, "k8s.pod.name": CANARY}
    body = request(span(CANARY, attributes=attributes, **fields), resource=resource)
    scope_spans = body.resource_spans[0].scope_spans[0]
    scope_spans.scope.name = scope_spans.scope.version = CANARY
    one = scope_spans.spans[0]
    one.status.message = one.trace_state = CANARY
    one.events.add(name=CANARY, time_unix_nano=one.start_time_unix_nano).attributes.extend(one.attributes)
    one.links.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, trace_state=CANARY).attributes.extend(one.attributes)
    return body


def send_the_canary(stack: Laptop) -> None:
    """Send it through every door, well and ill formed."""
    taken = canary_request().SerializeToString()
    for body in (taken, canary_request(kind=9).SerializeToString(), taken[:-5], CANARY.encode()):
        for headers in (PROTOBUF, PROTOBUF | {"authorization": f"Bearer {CANARY}"}, {"content-type": CANARY}):
            post(body, headers, port=stack.http_port, path=f"/v1/traces?{CANARY}={CANARY}")
        with grpc.insecure_channel(f"127.0.0.1:{stack.grpc_port}") as channel:
            export = channel.unary_unary(EXPORT, None, ExportTraceServiceResponse.FromString)
            for metadata in ((), (("authorization", CANARY), ("x-request-id", f"{CANARY}!"))):
                with contextlib.suppress(grpc.RpcError):
                    export(body, metadata=metadata, timeout=10)
    for text in (f'{{"resourceSpans": "{CANARY}"}}', f"{{{CANARY}"):
        post(text.encode(), JSON, port=stack.http_port)
    post(otlp_json(request(span(CANARY))), JSON | {"content-encoding": CANARY}, port=stack.http_port)


def ask_for_the_canary(stack: Laptop) -> None:
    """Ask every kind of address of the web process for it."""
    query = urllib.parse.urlencode(
        {"name": CANARY, "attribute": f"{CANARY}:{CANARY}", "service": CANARY, "from": CANARY}
    )
    basic = base64.b64encode(f"{CANARY}:{CANARY}".encode()).decode()
    for path in (
        "/api/v1/traces", "/api/v1/spans", f"/api/v1/traces/{CANARY}", f"/api/v1/gpus/{CANARY}", "/traces",
        f"/api/v1/gpus/{CANARY}/metrics", "/api/v1/analytics/overview", f"/gpus/{CANARY}", f"/{CANARY}",
        "/admin/login/", f"/api/v1/nodes/{CANARY}", "/api/v1/compute-resources",
    ):  # fmt: skip
        for headers in ({}, {"Authorization": f"Bearer {CANARY}"}, {"Authorization": f"Basic {basic}"}):
            ask(stack, f"{path}?{query}", **headers)
            ask(stack, f"{path}?name={CANARY}", **headers)


def test_no_process_logs_what_is_in_spans_or_asked_for(stack: Laptop, settings: Settings) -> None:
    send_the_canary(stack)
    settings.REDIS_URL = f"unix://{stack.data_dir}/run/redis.sock?db=0"
    poison = sealed(frames([canary_request(), canary_request(kind=NO_KIND)]))
    with redis.Redis.from_url(settings.REDIS_URL) as queue:
        queue.zadd("axonize:sealed", {poison: 0})  # nobody is told of it; the rescue hands it out
    wait_until(lambda: CANARY in json.dumps(stack.get("/api/v1/gpus")), 30)  # the registry has seen it
    assert written(stack, poison)
    ask_for_the_canary(stack)

    assert f"Of batch {poison}, 1 dead letters are kept" in stack.process.output
    assert {who for who, _ in lines_of(stack.process.output)} == {"receiver", "worker", "beat", "web"}
    assert [line for line in stack.process.lines if CANARY in line] == []
