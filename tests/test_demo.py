"""`manage.py demo` against a collector that keeps what it is sent; no engine and no server of ours is needed."""

import io
import re
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from axonize.demo.engines import rust_duration
from axonize.demo.fleet import FLEET
from axonize.demo.traffic import DECK_SIZE, Traffic

SERVICES = {
    "api-gateway",
    "support-bot",
    "chat-vllm",
    "llama-serving",
    "code-assist",
    "qwen-rtp",
    "mistral-tgi",
    "deepseek-router",
    "deepseek-prefill",
    "deepseek-decode",
    "image-gen",
    "rag-api",
    "embedder",
}
RESOURCE_KEYS = {
    "service.name",
    "service.version",
    "deployment.environment.name",
    "deployment.environment",
    "host.name",
    "k8s.pod.name",
    "process.pid",
}
GPU_FIELDS = {
    "resource_uuid": "string_value",
    "physical_uuid": "string_value",
    "model": "string_value",
    "vendor": "string_value",
    "node_id": "string_value",
    "resource_type": "string_value",
    "user_label": "string_value",
    "utilization": "double_value",
    "memory_used_gb": "double_value",
    "memory_total_gb": "double_value",
    "temperature_celsius": "int_value",
    "power_watts": "int_value",
    "clock_mhz": "int_value",
}
# Every key that the mapping reads, with the types in which it is sent.
SPAN_KEYS = {
    "ai.model.name": {"string_value"},
    "ai.model.version": {"string_value"},
    "ai.inference.type": {"string_value"},
    "ai.inference.batch_size": {"int_value"},
    "ai.llm.tokens.input": {"int_value"},
    "ai.llm.tokens.output": {"int_value"},
    "ai.llm.tokens_per_second": {"double_value"},
    "ai.llm.ttft_ms": {"double_value"},
    "ai.diffusion.steps": {"int_value"},
    "ai.diffusion.cfg_scale": {"double_value"},
    "axonize.duration_ms": {"double_value"},
    "cost.usd": {"double_value"},
    "cost.estimated_usd": {"double_value"},
    "cost.energy_wh": {"double_value"},
    "gen_ai.operation.name": {"string_value"},
    "gen_ai.provider.name": {"string_value"},
    "gen_ai.system": {"string_value"},
    "gen_ai.request.model": {"string_value"},
    "gen_ai.request.id": {"string_value"},
    "gen_ai.response.model": {"string_value"},
    "gen_ai.response.id": {"string_value"},
    "gen_ai.response.time_to_first_chunk": {"double_value"},
    "gen_ai.usage.input_tokens": {"int_value"},
    "gen_ai.usage.output_tokens": {"int_value"},
    "gen_ai.usage.prompt_tokens": {"int_value"},
    "gen_ai.usage.completion_tokens": {"int_value"},
    "gen_ai.usage.cache_read.input_tokens": {"int_value"},
    "gen_ai.usage.cached_tokens": {"int_value"},
    "gen_ai.usage.cost": {"double_value"},
    "gen_ai.conversation.id": {"string_value"},
    "gen_ai.response.finish_reasons": {"array_value", "string_value"},
    "gen_ai.input.messages": {"string_value"},
    "gen_ai.latency.time_to_first_token": {"double_value", "int_value"},
    "gen_ai.latency.time_in_queue": {"double_value", "int_value"},
    "gen_ai.latency.time_in_model_prefill": {"double_value", "int_value"},
    "gen_ai.latency.time_in_model_decode": {"double_value", "int_value"},
    "gen_ai.latency.time_in_model_inference": {"double_value"},
    "enduser.id": {"string_value"},
    "llm.request.type": {"string_value"},
    "llm.model_name": {"string_value"},
    "llm.provider": {"string_value"},
    "llm.system": {"string_value"},
    "llm.token_count.prompt": {"int_value"},
    "llm.token_count.completion": {"int_value"},
    "llm.token_count.prompt_details.cache_read": {"int_value"},
    "llm.cost.total": {"double_value"},
    "embedding.model_name": {"string_value"},
    "openinference.span.kind": {"string_value"},
    "user.id": {"string_value"},
    "session.id": {"string_value"},
    "rid": {"string_value"},
    "queue_time": {"string_value"},
    "inference_time": {"string_value"},
} | {f"gpu.0.{name}": {kind} for name, kind in GPU_FIELDS.items()}


@dataclass(frozen=True)
class Received:
    """One span as it came, with its resource."""

    span: Span
    resource: dict[str, AnyValue]

    @property
    def service(self) -> str:
        return self.resource["service.name"].string_value

    @property
    def attributes(self) -> dict[str, AnyValue]:
        return by_key(self.span.attributes)


@dataclass
class Collector(TraceServiceServicer):
    """An OTLP trace service that keeps what it is sent, and refuses the share of spans that it is told to."""

    refuse_every: int = 0
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    endpoint: str = ""

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: ARG002, N802, gRPC's signature
        self.requests.append(request)
        count = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        rejected = count // self.refuse_every if self.refuse_every else 0
        return ExportTraceServiceResponse(
            partial_success=ExportTracePartialSuccess(
                rejected_spans=rejected, error_message="span times are outside the retention" if rejected else ""
            )
        )

    def spans(self) -> list[Received]:
        return [
            Received(span, by_key(resource_spans.resource.attributes))
            for request in self.requests
            for resource_spans in request.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]


def by_key(attributes: Any) -> dict[str, AnyValue]:
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: pair.value for pair in pairs}


@contextmanager
def serving(collector: Collector) -> Iterator[Collector]:
    server = grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]  # generated, unannotated
    collector.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(grace=None).wait()


def run_demo(endpoint: str, *arguments: str) -> str:
    output = io.StringIO()
    call_command("demo", "--endpoint", endpoint, "--seed", "7", *arguments, stdout=output)
    return output.getvalue()


@pytest.fixture(scope="module")
def sent() -> tuple[list[Received], str]:
    """Return what a short run with a filled past sends, and what the command printed."""
    with serving(Collector()) as collector:
        output = run_demo(collector.endpoint, "--for", "2s", "--backfill", "20m", "--rate", "15")
        return collector.spans(), output


Sent = tuple[list[Received], str]


def test_every_service_and_pod_of_the_fleet_is_present(sent: Sent) -> None:
    spans, _ = sent
    assert {received.service for received in spans} == SERVICES
    assert len({str(sorted(received.resource.items(), key=str)) for received in spans}) == len(FLEET)


def test_every_key_occurs_with_its_types(sent: Sent) -> None:
    spans, _ = sent
    types = defaultdict(set)
    for received in spans:
        for key, value in received.attributes.items():
            types[key].add(value.WhichOneof("value"))
    assert {key: types[key] for key in SPAN_KEYS} == SPAN_KEYS
    assert {key for received in spans for key in received.resource} >= RESOURCE_KEYS


def test_spans_are_valid(sent: Sent) -> None:
    spans, _ = sent
    ids = Counter(received.span.span_id for received in spans)
    assert set(ids.values()) == {1}
    for received in spans:
        span = received.span
        assert len(span.trace_id) == 16
        assert any(span.trace_id)
        assert len(span.span_id) == 8
        assert any(span.span_id)
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        assert all(
            span.start_time_unix_nano <= event.time_unix_nano <= span.end_time_unix_nano for event in span.events
        )
        assert (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count) == (0, 0, 0)


def test_traces_are_connected_and_children_lie_within_their_parents(sent: Sent) -> None:
    spans, _ = sent
    traces: dict[bytes, dict[bytes, Span]] = defaultdict(dict)
    for received in spans:
        traces[received.span.trace_id][received.span.span_id] = received.span
    for trace in traces.values():
        roots = [span for span in trace.values() if not span.parent_span_id]
        assert len(roots) == 1
        for span in trace.values():
            if span.parent_span_id:
                parent = trace[span.parent_span_id]
                assert parent.start_time_unix_nano <= span.start_time_unix_nano
                assert span.end_time_unix_nano <= parent.end_time_unix_nano


def test_some_traces_cross_services_with_client_and_server_spans(sent: Sent) -> None:
    spans, _ = sent
    services = defaultdict(set)
    kinds = defaultdict(set)
    for received in spans:
        services[received.span.trace_id].add(received.service)
        kinds[received.span.trace_id].add(received.span.kind)
    assert {"support-bot", "api-gateway", "chat-vllm"} in services.values()
    assert {"rag-api", "embedder", "mistral-tgi"} in services.values()
    assert all(
        {Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER} <= kinds[trace_id]
        for trace_id, names in services.items()
        if "api-gateway" in names
    )


def test_prefill_and_decode_are_ordered_by_links_and_their_trace_ids_have_64_bits(sent: Sent) -> None:
    spans, _ = sent
    by_id = {received.span.span_id: received for received in spans}
    transferred = [received for received in spans if received.span.name == "decode_transferred"]
    assert transferred
    for received in transferred:
        (link,) = received.span.links
        assert link.trace_id == received.span.trace_id
        before = by_id[link.span_id]
        assert (before.service, before.span.name) == ("deepseek-prefill", "prefill_transfer_kv_cache")
        assert received.span.trace_id.startswith(bytes(8))


def test_errors_occur_with_their_exception_events(sent: Sent) -> None:
    spans, _ = sent
    failures = Counter(
        by_key(event.attributes)["exception.type"].string_value
        for received in spans
        if received.span.status.code == Status.STATUS_CODE_ERROR
        for event in received.span.events
        if event.name == "exception"
    )
    assert set(failures) == {
        "torch.OutOfMemoryError",
        "openai.NotFoundError",
        "openai.APITimeoutError",
        "httpx.ReadTimeout",
    }
    assert any("CUDA out of memory" in received.span.status.message for received in spans)


def test_a_few_requests_are_far_slower_than_most(sent: Sent) -> None:
    spans, _ = sent
    queued_s = sorted(
        received.attributes["gen_ai.latency.time_in_queue"].double_value
        for received in spans
        if received.service == "chat-vllm"
    )
    assert queued_s[-1] > 10 * queued_s[len(queued_s) // 2]


def test_one_pod_reads_zeros_as_nvml_does_with_mig_and_no_other_does(sent: Sent) -> None:
    spans, _ = sent
    sensors = ("utilization", "memory_used_gb", "temperature_celsius", "power_watts", "clock_mhz")
    blind = set()
    for received in spans:
        attributes = received.attributes
        if "gpu.0.utilization" in attributes:
            values = [attributes[f"gpu.0.{name}"] for name in sensors]
            readings = {value.double_value or value.int_value for value in values}
            assert (0 in readings) == (readings == {0})
            if readings == {0}:
                blind.add(received.service)
    assert blind == {"code-assist"}


def test_readings_stay_within_what_the_card_can_do(sent: Sent) -> None:
    spans, _ = sent
    seen_cards = set()
    for received in spans:
        attributes = received.attributes
        for index in range(4):
            if f"gpu.{index}.model" not in attributes:
                continue
            gpu = {name: attributes[f"gpu.{index}.{name}"] for name in GPU_FIELDS}
            seen_cards.add(gpu["model"].string_value)
            assert 0 <= gpu["utilization"].double_value <= 100
            assert gpu["memory_used_gb"].double_value < gpu["memory_total_gb"].double_value <= 80
            assert gpu["power_watts"].int_value <= 720
            assert gpu["temperature_celsius"].int_value < 90
            assert gpu["clock_mhz"].int_value <= 2040
    assert seen_cards == {"NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "NVIDIA L4"}


def test_pods_on_different_slices_all_know_theirs_as_cuda_0(sent: Sent) -> None:
    spans, _ = sent
    slices = {
        received.attributes["gpu.0.resource_uuid"].string_value
        for received in spans
        if "gpu.0.resource_uuid" in received.attributes
        and received.attributes["gpu.0.user_label"].string_value == "cuda:0"
        and received.attributes["gpu.0.resource_uuid"].string_value.startswith("MIG-")
    }
    assert len(slices) == 8


def test_the_past_is_filled_in_and_the_present_ends_now(sent: Sent) -> None:
    spans, _ = sent
    ends = [received.span.end_time_unix_nano for received in spans if not received.span.parent_span_id]
    minutes = {(max(ends) - end) // 60_000_000_000 for end in ends}
    assert minutes >= set(range(20))


def test_the_last_line_says_what_was_sent_and_where_to_look(sent: Sent) -> None:
    spans, output = sent
    last = output.splitlines()[-1]
    traces = len({received.span.trace_id for received in spans})
    assert f"Sent {traces:,} requests of {len(FLEET)} pods: {len(spans):,} of {len(spans):,} spans taken." in last
    assert f"Look at http://127.0.0.1:{settings.WEB_PORT}/" in last


def test_a_seed_repeats_the_traffic() -> None:
    def outline(seed: int) -> list[tuple[str, int, str]]:
        traffic = Traffic(Random(seed))  # noqa: S311, dice
        return [
            (step.name, step.end_ns, str(step.attributes))
            for number in range(DECK_SIZE)
            for step, _ in traffic.next_request(float(number)).walk()
        ]

    assert outline(7) == outline(7)
    assert outline(7) != outline(8)


def test_spans_that_the_server_refuses_are_told_and_fail_the_command() -> None:
    with (
        serving(Collector(refuse_every=2)) as collector,
        pytest.raises(CommandError, match=r"\d+ refused, 0 lost\. Last reason: span times are outside the retention"),
    ):
        run_demo(collector.endpoint, "--for", "0s", "--backfill", "1m")


def test_spans_that_no_one_answers_for_are_told_and_fail_the_command() -> None:
    class Dying(Collector):
        def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: N802, gRPC's
            if request.resource_spans:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "this key may not write")
            return super().Export(request, context)

    with (
        serving(Dying()) as collector,
        pytest.raises(
            CommandError,
            match=r"0 of (\d+) spans taken, 0 refused, \1 lost\. Last reason: PERMISSION_DENIED: this key may not",
        ),
    ):
        run_demo(collector.endpoint, "--for", "0s", "--backfill", "1m")


def test_it_fails_with_one_sentence_when_nobody_listens() -> None:
    with serving(Collector()) as collector:
        endpoint = collector.endpoint
    with pytest.raises(CommandError, match=rf"^Nothing at {endpoint} takes OTLP over gRPC \(UNAVAILABLE: .*make run"):
        run_demo(endpoint, "--for", "1s")


@pytest.mark.parametrize(
    "arguments", [("--for", "5"), ("--for", "-5s"), ("--backfill", "1d"), ("--rate", "0"), ("--rate", "nan")]
)
def test_a_malformed_option_is_named(arguments: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=rf"argument {arguments[0]}: '{re.escape(arguments[1])}' is not a"):
        run_demo("127.0.0.1:1", f"{arguments[0]}={arguments[1]}")


def test_ctrl_c_ends_it_cleanly_with_all_spans_sent() -> None:
    with serving(Collector()) as collector:
        command = [sys.executable, "manage.py", "demo", "--for=1h", "--backfill=1m", f"--endpoint={collector.endpoint}"]
        with subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()  # the first progress line
            process.send_signal(signal.SIGINT)
            last = process.communicate(timeout=30)[0].splitlines()[-1]
        assert process.returncode == 0
        count = len(collector.spans())
    assert last.startswith("Stopped. Sent ")
    assert f"{count:,} of {count:,} spans taken" in last


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(870, "870ns"), (3_400, "3.4µs"), (1_200_000, "1.2ms"), (1_500_000_000, "1.5s"), (2_000_000_000, "2s")],
)
def test_durations_print_as_rust_prints_them(nanoseconds: int, text: str) -> None:
    assert rust_duration(nanoseconds) == text
