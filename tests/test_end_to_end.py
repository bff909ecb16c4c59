"""The whole way, on a laptop and in production: real clients send, and the REST API answers with what was sent."""

import base64
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tests import captures, otlp
from tests.deploy.production import production
from tests.docs.markdown import Page
from tests.otlp import otlp_json
from tests.otlp_clients import JSON, PROTOBUF, export_grpc, post
from tests.processes import ROOT, Process, wait_until
from tests.stack import Stack, laptop, short_folder

KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"]
STATUSES = ["unset", "ok", "error"]
# Readings that the Axonize SDK sends as integers; all others are doubles or strings.
GPU_FIELDS = [
    "resource_uuid", "physical_uuid", "model", "vendor", "node_id", "resource_type", "user_label", "utilization",
    "memory_used_gb", "memory_total_gb", "temperature_celsius", "power_watts", "clock_mhz",
]  # fmt: skip


@pytest.fixture(scope="module", params=["laptop", "production"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Run what `make run` does, and what docker-compose.yml does behind a proxy that ends TLS."""
    if request.param == "production":
        with production() as services:
            yield services
    else:
        with short_folder() as folder, laptop(folder) as running:
            yield running


def flattened(spans: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return all spans of a tree by id."""
    found: dict[str, dict[str, Any]] = {}
    waiting = list(spans)
    while waiting:
        span = waiting.pop()
        found[span["span_id"]] = span
        waiting.extend(span["children"])
    return found


def rfc3339(time_ns: int) -> str:
    seconds, nanoseconds = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"


def plain(value: AnyValue) -> Any:
    """Return what the API makes of a value: a map is its JSON text, but for one inside an array."""
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return json.loads(json.dumps({item.key: plain(item.value) for item in value.kvlist_value.values}))
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case member:
            return getattr(value, member)


def attributes(items: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(items)
    return {item.key: plain(item.value) for item in pairs}


def gpus(span: Span) -> list[dict[str, Any]]:
    sent = {key: value for key, value in attributes(span.attributes).items() if key.startswith("gpu.")}
    numbers = sorted({int(key.split(".")[1]) for key in sent})
    return [{"source": "span"} | {field: sent[f"gpu.{number}.{field}"] for field in GPU_FIELDS} for number in numbers]


def typed(value: Any) -> Any:
    """Return a value with its types, for 1, 1.0 and True are equal in Python and are not the same thing sent."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return [typed(item) for item in value] if isinstance(value, list) else (type(value).__name__, value)


def assert_same(answered: Mapping[str, Any], sent: Span, resource: Resource, scope: tuple[str, str]) -> None:
    expected: dict[str, Any] = {
        "span_id": sent.span_id.hex(),
        "name": sent.name,
        "start_time": rfc3339(sent.start_time_unix_nano),
        "end_time": rfc3339(sent.end_time_unix_nano),
        "kind": KINDS[sent.kind],
        "status": STATUSES[sent.status.code],
        "attributes": {k: v for k, v in attributes(sent.attributes).items() if not k.startswith("gpu.")},
        "events": [
            {"time": rfc3339(event.time_unix_nano), "name": event.name, "attributes": attributes(event.attributes)}
            for event in sent.events
        ],
        "links": [
            {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": attributes(link.attributes)}
            for link in sent.links
        ],
        "gpus": gpus(sent),
        "resource": attributes(resource.attributes),
        "scope": {"name": scope[0], "version": scope[1]},
    }
    if sent.parent_span_id:
        expected["parent_span_id"] = sent.parent_span_id.hex()
    if sent.status.message:
        expected["error_message"] = sent.status.message
    assert typed({key: answered[key] for key in expected}) == typed(expected)
    for optional in {"parent_span_id", "error_message"} - expected.keys():
        assert optional not in answered
    duration_ms = (sent.end_time_unix_nano - sent.start_time_unix_nano) / 1e6
    assert answered["duration_ms"] == pytest.approx(duration_ms, abs=1e-6)


def send(stack: Stack, transport: str, request: ExportTraceServiceRequest) -> None:
    key = stack.credentials
    if transport == "grpc":
        answer = export_grpc(request.SerializeToString(), port=stack.grpc_port, metadata=key)
        assert not answer.partial_success.rejected_spans
    elif transport == "http protobuf":
        assert post(request.SerializeToString(), PROTOBUF | key, port=stack.http_port)[::2] == (200, b"")
    else:
        assert post(otlp_json(request), JSON | key, port=stack.http_port)[::2] == (200, b"{}")


@pytest.mark.parametrize("transport", ["grpc", "http protobuf", "http json"])
@pytest.mark.parametrize("name", captures.NAMES)
def test_a_recorded_client_reads_back_what_it_sent(stack: Stack, name: str, transport: str) -> None:
    requests = captures.load(name)
    for request in requests:
        send(stack, transport, request)
    sent = [
        (span, resource_spans.resource, (scope_spans.scope.name, scope_spans.scope.version))
        for request in requests
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]
    for trace_id in {span.trace_id for span, _, _ in sent}:
        of_trace = [parts for parts in sent if parts[0].trace_id == trace_id]
        answered = flattened(stack.trace(trace_id.hex(), span_count=len(of_trace))["spans"])
        assert len(answered) == len(of_trace)
        for span, resource, scope in of_trace:
            assert_same(answered[span.span_id.hex()], span, resource, scope)


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_the_otel_sdk_reads_back_its_trace(stack: Stack, transport: str) -> None:
    exporter: SpanExporter = (
        GrpcSpanExporter(endpoint=f"http://127.0.0.1:{stack.grpc_port}", insecure=True, headers=stack.credentials)
        if transport == "grpc"
        else HttpSpanExporter(endpoint=f"http://127.0.0.1:{stack.http_port}/v1/traces", headers=stack.credentials)
    )
    resource = SdkResource({"service.name": "sdk", "process.pid": 7, "deployment.environment.name": "tests"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("tests", "1.0")
    linked = SpanContext(trace_id=5, span_id=6, is_remote=True, trace_flags=TraceFlags(1))
    with tracer.start_as_current_span(
        "parent", kind=SpanKind.SERVER, links=[Link(linked, {"why": "prefill"})]
    ) as parent:
        parent.set_attributes({"text": "ü", "int": 2**53 + 1, "double": 1.0, "bool": False, "ints": [1, 2], "none": []})
        with tracer.start_as_current_span("child", kind=SpanKind.CLIENT) as child:
            child.add_event("token", {"index": 3})
            child.set_status(Status(StatusCode.ERROR, "out of memory"))
    provider.shutdown()

    trace = stack.trace(f"{parent.get_span_context().trace_id:032x}", span_count=2)
    assert (trace["service_name"], trace["environment"], trace["status"]) == ("sdk", "tests", "error")
    assert (trace["root_span_name"], trace["span_count"], trace["error_count"]) == ("parent", 2, 1)
    [root] = trace["spans"]
    assert typed(root["attributes"]) == typed(
        {"text": "ü", "int": 2**53 + 1, "double": 1.0, "bool": False, "ints": [1, 2], "none": []}
    )
    assert root["resource"]["process.pid"] == 7
    [link] = root["links"]
    assert (link["trace_id"], link["span_id"], link["attributes"]) == (
        "0" * 31 + "5",
        "0" * 15 + "6",
        {"why": "prefill"},
    )
    [leaf] = root["children"]
    assert (leaf["kind"], leaf["error_message"]) == ("client", "out of memory")
    assert [(event["name"], event["attributes"]) for event in leaf["events"]] == [("token", {"index": 3})]


def test_the_readmes_first_trace_arrives(stack: Stack) -> None:
    send_it, ask_for_it = Page(ROOT / "README.md").blocks("sh")
    key = ",".join(f"{name}={urllib.parse.quote(value)}" for name, value in stack.credentials.items())
    to_the_stack = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{stack.grpc_port}"}
    to_the_stack |= {"OTEL_EXPORTER_OTLP_HEADERS": key} if key else {}
    subprocess.run(["bash", "-e", "-c", send_it], cwd=ROOT, env=os.environ | to_the_stack, check=True, timeout=30)

    def traces() -> Any:
        headers = "".join(f" -H '{name}: {value}'" for name, value in {**stack.proxied, **stack.credentials}.items())
        command = ask_for_it.replace(":8000", f":{stack.web_port}").replace("curl -s", f"curl -s{headers}")
        asked = subprocess.run(["bash", "-e", "-c", command], capture_output=True, check=True, timeout=30)
        return json.loads(asked.stdout)["traces"]

    wait_until(traces)
    assert [(trace["root_span_name"], trace["models"], trace["gpu_count"]) for trace in traces()] == [
        ("chat", ["llama-3"], 1)
    ]
    wait_until(lambda: stack.knows("/api/v1/gpus/GPU-1"))
    assert stack.get("/api/v1/gpus/GPU-1")["resource_type"] == "full_gpu"


def test_a_gpu_is_in_the_registry_soon_after_its_first_span(stack: Stack) -> None:
    for request in captures.load("axonize-llm"):
        send(stack, "grpc", request)

    def gpu_ids() -> set[str]:
        return {gpu["resource_uuid"] for gpu in stack.get("/api/v1/gpus")["gpus"]}

    wait_until(lambda: {"MIG-0000-00", "MIG-0000-01"} <= gpu_ids(), 10)
    gpu = stack.get("/api/v1/gpus/MIG-0000-00")
    assert (gpu["physical_uuid"], gpu["model"]) == ("GPU-0000", "NVIDIA H100 80GB HBM3")
    assert (gpu["resource_type"], gpu["node_id"]) == ("mig_40gb", "test-node")
    assert "MIG-0000-01" in {sibling["resource_uuid"] for sibling in gpu["siblings"]}
    metrics = stack.get("/api/v1/gpus/MIG-0000-00/metrics")["metrics"]
    assert {point["utilization"] for point in metrics} == {75}


def test_a_correction_is_true_in_clickhouse_within_five_seconds(stack: Stack) -> None:
    send(stack, "grpc", otlp.request(otlp.span(attributes=otlp.gpu(0, resource_uuid="MIG-corrected"))))
    listed = "/api/v1/gpus/MIG-corrected"
    wait_until(lambda: stack.knows(listed), 20)
    assert stack.get("/api/v1/traces", node_id="rack-7")["total"] == 0

    stack.write("POST", "/api/v1/physical-gpus", uuid="GPU-corrected", node_id="rack-6")
    stack.write("PATCH", "/api/v1/compute-resources/MIG-corrected", physical_uuid="GPU-corrected")
    wait_until(lambda: stack.get("/api/v1/traces", node_id="rack-6")["total"] == 1, 5)
    stack.write("PATCH", "/api/v1/physical-gpus/GPU-corrected", node_id="rack-7")
    wait_until(lambda: stack.get("/api/v1/traces", node_id="rack-7")["total"] == 1, 5)


def test_the_overview_counts_what_was_sent(stack: Stack) -> None:
    before = stack.get("/api/v1/analytics/overview")
    [request] = captures.load("axonize-error")
    [trace_id] = {span.trace_id for span in captures.spans_of(request)}
    send(stack, "grpc", request)
    stack.trace(trace_id.hex(), span_count=2)
    # its summary comes after it
    wait_until(lambda: stack.get("/api/v1/analytics/overview")["total_traces"] > before["total_traces"])
    after = stack.get("/api/v1/analytics/overview")
    assert (after["total_traces"], after["total_spans"]) == (before["total_traces"] + 1, before["total_spans"] + 2)
    assert sum(point["count"] for point in after["throughput_series"]) == after["total_traces"]
    assert after["error_rate"] > 0


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/schema", "/api/docs", "/admin/login/"])
def test_the_web_answers(stack: Stack, path: str) -> None:
    assert stack.fetch(path)


def test_the_api_docs_need_no_other_server(stack: Stack) -> None:
    page = stack.fetch("/api/docs").decode()
    resources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert resources
    assert all(resource.startswith("/") for resource in resources)
    for resource in resources:
        if not resource.endswith(".png"):
            assert stack.fetch(resource)


def test_a_second_start_finds_the_first_ones_data_and_both_stop_clean() -> None:
    [request] = captures.load("axonize-diffusion")
    [trace_id] = {span.trace_id for span in captures.spans_of(request)}
    with short_folder() as folder:
        with laptop(folder) as first:
            send(first, "grpc", request)
            stop(first.process)
        with laptop(folder) as second:
            assert len(flattened(second.trace(trace_id.hex(), span_count=24)["spans"])) == 24
            stop(second.process)


def stop(process: Process) -> None:
    """Stop a stack as Ctrl-C does; it must be gone, with all of its processes, within 15 s."""
    started = time.monotonic()
    process.popen.send_signal(signal.SIGINT)
    process.wait(30)
    assert time.monotonic() - started < 15
    assert process.popen.returncode in {0, 130}, process.output
