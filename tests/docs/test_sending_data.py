"""docs/sending-data.md: its examples run as they stand there, and what they send can be read back."""

import ast
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from axonize.demo.sender import Sender
from axonize.demo.traffic import DECK_SIZE, Traffic
from tests import captures
from tests.docs.conftest import Traces
from tests.docs.markdown import Page
from tests.keys import make_key
from tests.otlp_clients import export_grpc
from tests.processes import ROOT

PAGE = Page(ROOT / "docs" / "sending-data.md")
CONVENTIONS = Page(ROOT / "docs" / "conventions.md")

pytestmark = pytest.mark.django_db(transaction=True)

Run = Callable[..., None]


@pytest.fixture
def run_python(grpc_endpoint: str, clickhouse: ClickHouse, queue: object, openai_url: str) -> Run:  # noqa: ARG001  emptied
    """Run an example as a program, in an environment that says where to and what it is."""

    def run(code: str, **environment: str) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        given = {
            "OTEL_SERVICE_NAME": "example",
            "OTEL_EXPORTER_OTLP_ENDPOINT": grpc_endpoint,
            "OPENAI_BASE_URL": openai_url,
            "OPENAI_API_KEY": "none",
        }
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=own | given | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert "Error" not in done.stderr, done.stderr

    return run


def all_spans(trace: dict[str, Any]) -> list[dict[str, Any]]:
    found, waiting = [], list(trace["spans"])
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1]["children"]
    return found


def test_the_sdks_example_shows_its_model_tokens_and_time_to_first_token(run_python: Run, traces: Traces) -> None:
    run_python(PAGE.block("python", under="OpenTelemetry SDK"))
    [trace] = traces(service_name="example")
    assert (trace["root_span_name"], trace["models"]) == ("POST /v1/chat/completions", ["llama-3-70b"])
    assert (trace["tokens_input"], trace["tokens_output"]) == (12, 3)
    [inner] = trace["spans"][0]["children"]
    assert (inner["name"], inner["inference_type"]) == ("generate", "chat")
    assert inner["ttft_ms"] > 0


def test_the_variables_set_key_compression_and_resource(run_python: Run, traces: Traces) -> None:
    key = make_key("vision-lab", scopes=["ingest", "read"])
    run_python(
        PAGE.block("python", under="OpenTelemetry SDK"),
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=production,host.name=rack-7",
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{key}",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
    )
    assert traces() == []
    [trace] = traces(key=key)
    assert (trace["service_name"], trace["environment"]) == ("example", "production")
    assert trace["spans"][0]["host"] == "rack-7"


def test_over_http_the_examples_need_another_import_alone(run_python: Run, traces: Traces, http_endpoint: str) -> None:
    code = PAGE.block("python", under="OpenTelemetry SDK")
    over_http = code.replace("otlp.proto.grpc.", "otlp.proto.http.")
    assert over_http != code
    run_python(over_http, OTEL_EXPORTER_OTLP_ENDPOINT=http_endpoint)
    assert len(traces(service_name="example")) == 1


@pytest.mark.parametrize(
    ("visible", "resource_uuids", "physical_uuids"),
    [
        ("GPU-1,GPU-2", ["GPU-1", "GPU-2"], ["GPU-1", "GPU-2"]),
        ("MIG-1", ["MIG-1"], [None]),
    ],
)
def test_the_span_processor_names_the_processs_gpus(
    run_python: Run, traces: Traces, visible: str, resource_uuids: list[str], physical_uuids: list[str | None]
) -> None:
    run_python(PAGE.block("python", under="In Python"), NVIDIA_VISIBLE_DEVICES=visible)
    [trace] = traces(service_name="example", resource_uuid=resource_uuids[0])
    assert trace["gpu_count"] == len(resource_uuids)
    gpus = trace["spans"][0]["gpus"]
    assert [gpu["resource_uuid"] for gpu in gpus] == resource_uuids
    assert [gpu["physical_uuid"] for gpu in gpus] == physical_uuids
    assert [gpu["user_label"] for gpu in gpus] == [f"cuda:{number}" for number in range(len(gpus))]


def test_gpus_in_the_resource_are_shown_there_and_counted_nowhere(run_python: Run, traces: Traces) -> None:
    run_python(
        PAGE.block("python", under="OpenTelemetry SDK"),
        OTEL_RESOURCE_ATTRIBUTES="gpu.0.resource_uuid=MIG-1,host.name=a",
    )
    [trace] = traces(service_name="example")
    assert trace["gpu_count"] == 0
    assert trace["spans"][0]["resource"]["gpu.0.resource_uuid"] == "MIG-1"
    assert trace["spans"][0]["gpus"] == []


@pytest.mark.parametrize(
    ("heading", "name", "inference_type"),
    [("OpenLLMetry", "openai.chat", "chat"), ("OpenInference", "ChatCompletion", "LLM")],
)
def test_an_instrumented_client_shows_model_tokens_and_messages(
    run_python: Run, traces: Traces, heading: str, name: str, inference_type: str
) -> None:
    run_python(PAGE.block("python", under=heading))
    [trace] = traces(service_name="example", model_name="llama-3-70b")
    [shown] = trace["spans"]
    assert (shown["name"], shown["inference_type"], shown["provider"]) == (name, inference_type, "openai")
    assert [shown[column] for column in ("tokens_input", "tokens_output", "tokens_cached")] == [23, 7, 16]
    assert "Hello, world" in json.dumps(shown["attributes"])


@pytest.mark.parametrize(
    ("heading", "hidden"),
    [
        ("OpenLLMetry", {"TRACELOOP_TRACE_CONTENT": "false"}),
        ("OpenInference", {"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"}),
    ],
)
def test_the_variables_leave_the_messages_out(
    run_python: Run, traces: Traces, heading: str, hidden: dict[str, str]
) -> None:
    assert all(f"`{name}={value}`" in PAGE.text for name, value in hidden.items())
    run_python(PAGE.block("python", under=heading), **hidden)
    [trace] = traces(service_name="example")
    assert "Hello" not in json.dumps(trace)


@pytest.mark.usefixtures("receiver", "clickhouse")
def test_the_axonize_sdks_example_is_python_and_its_recordings_show_what_the_page_says(traces: Traces) -> None:
    ast.parse(PAGE.block("python", under="Axonize SDK"))
    for recorded in captures.load("axonize-llm"):
        assert export_grpc(recorded.SerializeToString()) == ExportTraceServiceResponse()
    for trace in traces():
        [asked] = [each for each in all_spans(trace) if each.get("model_name")]
        assert asked.keys() >= {"tokens_input", "tokens_output", "tokens_per_second", "ttft_ms"}
        assert None not in asked["gpus"][0].values()
        assert not {"host", "pod"} & asked.keys()


def columns_of_table(heading: str) -> dict[str, str]:
    """Return the attributes of a section's table, each with the column that it fills, '' where none."""
    text = PAGE.text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for attributes, columns in re.findall(r"^\| ((?:`[\w.]+`(?:, )?)+) \| ([^|]+) \|$", text, re.MULTILINE):
        keys, names = re.findall(r"`([\w.]+)`", attributes), re.findall(r"`([\w.]+)`", columns)
        found |= dict(zip(keys, names, strict=True)) if not columns.startswith("none") else dict.fromkeys(keys, "")
    return found


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_vllms_span_fills_the_columns_of_the_pages_table(
    grpc_endpoint: str,
    traces: Traces,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    clickhouse: ClickHouse,  # noqa: ARG001  emptied
) -> None:
    table = columns_of_table("vLLM")
    assert len(table) == 13
    values: dict[str, Any] = {key: 0.5 if ".latency." in key else 64 for key in table}
    values["gen_ai.request.id"] = "chatcmpl-64"
    # as the page's commands set it, and vLLM makes it
    monkeypatch.setenv("OTEL_SERVICE_NAME", "vllm")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true")
    provider = TracerProvider(shutdown_on_exit=False)
    endpoint = grpc_endpoint.replace("http:", f"{scheme}:")
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    with provider.get_tracer("vllm.llm_engine").start_as_current_span("llm_request", kind=SpanKind.SERVER) as sent:
        sent.set_attributes(values)
    provider.shutdown()

    [trace] = traces(service_name="vllm")
    [shown] = trace["spans"]
    for key, column in table.items():
        assert shown["attributes"][key] == values[key]
        if column:
            assert shown[column] == (500 if column.endswith("_ms") else values[key])
    assert shown["inference_type"] == "llm"
    assert "model_name" not in shown


def test_sglangs_tree_fills_the_columns_of_the_pages_table(
    grpc_endpoint: str,
    traces: Traces,
    clickhouse: ClickHouse,  # noqa: ARG001  emptied
) -> None:
    traffic = Traffic(Random(1))  # noqa: S311, dice
    played = (traffic.next_request(float(number)) for number in range(DECK_SIZE))
    sender = Sender(grpc_endpoint.removeprefix("http://"))
    sender.send(next(step for step in played if step.name.startswith("Bootstrap Room")), end_ns=time.time_ns())
    sender.close()
    [trace] = traces()
    spans = all_spans(trace)
    table = columns_of_table("SGLang")
    assert len(table) >= 10
    for key, column in table.items():
        having = [each for each in spans if key in each["attributes"]]
        assert having, key
        assert not column or any(column in each for each in having), key
    assert all(name in {each["name"].split(" Req")[0] for each in spans} for name in ("router", "prefill", "decode"))
    assert any(each["links"] for each in spans)


@pytest.mark.parametrize("heading", ["vLLM", "SGLang"])
def test_the_tables_agree_with_the_conventions(heading: str) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| \w \| ([^|]+) \|", CONVENTIONS.text, re.MULTILINE))
    for key, column in columns_of_table(heading).items():
        if column:
            assert f"`{key}`" in rows[column]
        else:
            assert not any(f"`{key}`" in keys for keys in rows.values())


def test_a_span_by_hand_arrives_and_a_wrong_one_is_told_as_the_page_shows(
    http_endpoint: str,
    traces: Traces,
    clickhouse: ClickHouse,  # noqa: ARG001  emptied
) -> None:
    def shell(block: str) -> Any:
        script = block.replace("http://127.0.0.1:4318", http_endpoint)
        assert script != block
        done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    assert shell(PAGE.block("sh", under="By hand")) == {}
    refused = "What is refused, and who says so"
    assert shell(PAGE.block("sh", under=refused)) == json.loads(PAGE.block("json", under=refused))
    [trace] = traces(service_name="by-hand")
    assert (trace["duration_ms"], trace["tokens_output"], trace["gpu_count"]) == (2000, 128, 1)
    assert trace["spans"][0]["gpus"][0]["physical_uuid"] == "GPU-by-hand"
