"""The receiver as a process, spoken to by real clients and by clients that do it wrong."""

import gzip
import json
import os
import signal
import threading
import zlib
from collections.abc import Iterator

import grpc
import pytest
import redis
from backports import zstd
from clickhouse_connect.driver import Client
from django.conf import settings
from google.protobuf.json_format import Parse
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.conftest import Drain
from tests.engines import free_ports
from tests.otlp import otlp_json, request, span
from tests.otlp_clients import EXPORT, JSON, PROTOBUF, export_grpc, is_taken, post, sdk_exporters, send_by_sdk
from tests.processes import Process, running, wait_until
from tests.stored import names, queued

INVALID_ARGUMENT, OUT_OF_RANGE, UNAVAILABLE = 3, 11, 14


@pytest.fixture(scope="module", autouse=True)
def receiver(engines: object) -> Iterator[Process]:  # noqa: ARG001  it must run
    with running("manage.py", "receive_otlp", until="OTLP/gRPC on") as process:
        yield process


@pytest.fixture
def receiver_without_redis() -> Iterator[tuple[int, int]]:
    """Yield the gRPC and HTTP ports of a receiver whose Redis is away."""
    grpc_port, http_port = free_ports(2)
    command = ("manage.py", "receive_otlp", "--grpc-port", str(grpc_port), "--http-port", str(http_port))
    with running(*command, env={"REDIS_URL": "unix:///nowhere/redis.sock"}, until="OTLP/gRPC on"):
        yield grpc_port, http_port


def test_the_otel_sdk_delivers_over_every_transport(drain: Drain, clickhouse: Client) -> None:
    for name, exporter in sdk_exporters():
        send_by_sdk(exporter, name)
    assert drain() >= 1
    assert names(clickhouse) == sorted(name for name, _ in sdk_exporters())


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstd.compress),
    ],
)
@pytest.mark.parametrize("media_type", ["protobuf", "json"])
def test_http_takes_each_encoding_and_answers_in_the_form_that_was_sent(
    drain: Drain,
    clickhouse: Client,
    media_type: str,
    encoding: str,
    encode: object,
) -> None:
    sent = request(span("sent"))
    headers = JSON if media_type == "json" else PROTOBUF
    body = otlp_json(sent) if media_type == "json" else sent.SerializeToString()
    assert callable(encode)
    status, answer_headers, answer = post(encode(body), headers | {"content-encoding": encoding})
    assert (status, answer_headers["content-type"]) == (200, headers["content-type"])
    assert answer == (b"{}" if media_type == "json" else b"")
    drain()
    assert names(clickhouse) == ["sent"]


@pytest.mark.usefixtures("queue")
def test_json_takes_a_charset() -> None:
    assert post(otlp_json(request(span())), {"content-type": "application/json; charset=utf-8"})[0] == 200


def test_good_spans_are_kept_and_bad_ones_told_over_grpc(drain: Drain, clickhouse: Client) -> None:
    response = export_grpc(request(span("good"), span(trace_id=b"short"), span(kind=9)).SerializeToString())
    assert response.partial_success.rejected_spans == 2
    assert "trace_id must be 16 bytes" in response.partial_success.error_message
    drain()
    assert names(clickhouse) == ["good"]


def test_good_spans_are_kept_and_bad_ones_told_over_http(drain: Drain, clickhouse: Client) -> None:
    year_ns = 365 * 86_400 * 10**9
    sent = request(span("good"), span(start_ns=0), span(start_ns=330 * year_ns))
    status, _, answer = post(sent.SerializeToString(), PROTOBUF)
    assert (status, ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans) == (200, 2)
    status, _, answer = post(otlp_json(request(span(kind=9))), JSON)
    assert (status, json.loads(answer)) == (
        200,
        {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "1 rejected: kind must be 0 to 5"}},
    )
    drain()
    assert names(clickhouse) == ["good"]


def test_a_retry_of_the_same_bytes_is_stored_once(drain: Drain, clickhouse: Client) -> None:
    body = request(span("once")).SerializeToString()
    for _ in range(3):
        assert export_grpc(body) == ExportTraceServiceResponse()
    assert post(body, PROTOBUF)[0] == 200
    drain()
    assert names(clickhouse) == ["once"]


def test_an_empty_request_is_a_success_and_queues_nothing(queue: redis.Redis) -> None:
    assert export_grpc(b"") == ExportTraceServiceResponse()
    assert post(b"", PROTOBUF)[0] == 200
    assert post(b"{}", JSON)[0] == 200
    assert queued(queue) == []


LARGE = 4 * 1024 * 1024


def test_a_long_attribute_is_stored_whole(drain: Drain, clickhouse: Client) -> None:
    prompt = os.urandom(LARGE // 2).hex()
    assert export_grpc(request(span(attributes={"input.value": prompt})).SerializeToString()) == (
        ExportTraceServiceResponse()
    )
    drain()
    [[stored]] = clickhouse.query(
        "SELECT JSONExtractString(detail, 'attributes_string', 'input.value') FROM spans"
    ).result_rows
    assert stored == prompt


def test_ten_thousand_spans_in_one_request_are_all_stored(drain: Drain, clickhouse: Client) -> None:
    body = request(*[span() for _ in range(10_000)]).SerializeToString()
    assert export_grpc(body, compression=grpc.Compression.Gzip) == ExportTraceServiceResponse()
    drain()
    assert len(names(clickhouse)) == 10_000


TOO_LARGE = request(span(attributes={"a": "x" * 17_000_000})).SerializeToString()


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"no protobuf", PROTOBUF, 400, INVALID_ARGUMENT),
        (b"{", JSON, 400, INVALID_ARGUMENT),
        (gzip.compress(b"x" * 1000)[:-9], PROTOBUF | {"content-encoding": "gzip"}, 400, INVALID_ARGUMENT),
        (b"not gzip", JSON | {"content-encoding": "gzip"}, 400, INVALID_ARGUMENT),
        (b"", {"content-type": "text/plain"}, 415, INVALID_ARGUMENT),
        (b"", {"content-type": ""}, 415, INVALID_ARGUMENT),
        (b"", PROTOBUF | {"content-encoding": "br"}, 415, INVALID_ARGUMENT),
        (TOO_LARGE, PROTOBUF, 413, OUT_OF_RANGE),
        (gzip.compress(TOO_LARGE), PROTOBUF | {"content-encoding": "gzip"}, 413, OUT_OF_RANGE),
        (zstd.compress(TOO_LARGE), JSON | {"content-encoding": "zstd"}, 413, OUT_OF_RANGE),
    ],
    ids=str,
)
def test_http_tells_what_is_wrong_and_keeps_nothing(
    queue: redis.Redis,
    body: bytes,
    headers: dict[str, str],
    status: int,
    code: int,
) -> None:
    answered, answer_headers, answer = post(body, headers)
    assert answered == status
    if answer_headers["content-type"] == PROTOBUF["content-type"]:
        told = Status.FromString(answer)
    else:
        told = Parse(answer, Status())
    assert (
        answer_headers["content-type"]
        == (PROTOBUF if headers["content-type"].endswith("protobuf") else JSON)["content-type"]
    )
    assert told.code == code
    assert told.message
    assert queued(queue) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/traces", 405), ("PUT", "/v1/traces", 405), ("POST", "/v1/metrics", 404), ("GET", "/", 404)],
)
def test_http_points_to_where_traces_go(method: str, path: str, status: int) -> None:
    answered, headers, answer = post(b"", PROTOBUF, path=path, method=method)
    assert answered == status
    assert json.loads(answer)["message"]
    assert headers.get("allow") == ("POST" if status == 405 else None)


def test_http_says_that_it_lives() -> None:
    assert post(b"", {}, path="/healthz", method="GET")[::2] == (200, b'{"status": "ok"}')


def test_grpc_calls_bytes_that_are_no_protobuf_an_invalid_argument(queue: redis.Redis) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        export_grpc(b"no protobuf")
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert queued(queue) == []


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_grpc_refuses_what_is_too_large(queue: redis.Redis, compression: grpc.Compression) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        export_grpc(TOO_LARGE, compression=compression)
    assert refusal.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert queued(queue) == []


def retry_delay_s(status: Status) -> int:
    [detail] = status.details
    retry = RetryInfo()
    assert detail.Unpack(retry)
    return int(retry.retry_delay.seconds)


def assert_told_to_come_again(grpc_port: int, http_port: int) -> None:
    body = request(span()).SerializeToString()
    with pytest.raises(grpc.RpcError) as refusal:
        export_grpc(body, port=grpc_port)
    assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
    details = {item.key: item.value for item in refusal.value.trailing_metadata()}["grpc-status-details-bin"]
    assert retry_delay_s(Status.FromString(details)) >= 1
    status, headers, answer = post(body, PROTOBUF, port=http_port)
    assert (status, int(headers["retry-after"])) == (503, retry_delay_s(Status.FromString(answer)))


def test_a_full_queue_tells_clients_to_come_again(queue: redis.Redis) -> None:
    queue.set("axonize:queued_bytes", settings.QUEUE_MAX_BYTES)
    assert_told_to_come_again(settings.OTLP_GRPC_PORT, settings.OTLP_HTTP_PORT)
    queue.delete("axonize:queued_bytes")
    wait_until(is_taken, timeout_s=2)


def test_without_redis_clients_are_told_to_come_again(receiver_without_redis: tuple[int, int]) -> None:
    assert_told_to_come_again(*receiver_without_redis)


def test_the_open_batch_is_sealed_by_age_and_a_worker_is_told(queue: redis.Redis) -> None:
    export_grpc(request(span()).SerializeToString())
    wait_until(lambda: queue.llen("celery") == 1)
    [batch_id] = queue.zrange("axonize:sealed", 0, -1)
    [message] = queue.lrange("celery", 0, -1)
    assert isinstance(batch_id, bytes)
    assert batch_id.decode() in json.loads(message)["headers"]["argsrepr"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_without_losing_what_it_acknowledged(
    drain: Drain,
    clickhouse: Client,
    signum: signal.Signals,
) -> None:
    grpc_port, http_port = free_ports(2)
    command = ("manage.py", "receive_otlp", "--grpc-port", str(grpc_port), "--http-port", str(http_port))
    acknowledged: list[str] = []

    def send_until_refused(sender: int) -> None:
        for number in range(10_000):
            name = f"{sender}-{number}"
            body = request(span(name)).SerializeToString()
            try:
                if sender % 2:
                    export_grpc(body, port=grpc_port)
                else:
                    post(body, PROTOBUF, port=http_port)
            except (grpc.RpcError, OSError):
                return
            acknowledged.append(name)

    with running(*command, until="OTLP/gRPC on") as process:
        senders = [threading.Thread(target=send_until_refused, args=(sender,)) for sender in range(4)]
        for sender in senders:
            sender.start()
        wait_until(lambda: len(acknowledged) > 40)
        process.popen.send_signal(signum)
        assert process.wait() == 0
        for thread in senders:
            thread.join(20)
    drain()
    stored = names(clickhouse)
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored)


@pytest.mark.parametrize("taken", ["grpc", "http"])
def test_a_taken_port_is_one_clear_sentence(taken: str) -> None:
    ports = dict(zip(("grpc", "http"), free_ports(2), strict=True))
    ports[taken] = settings.OTLP_GRPC_PORT if taken == "grpc" else settings.OTLP_HTTP_PORT
    second = Process("manage.py", "receive_otlp", "--grpc-port", str(ports["grpc"]), "--http-port", str(ports["http"]))
    assert second.wait() == 1
    last_line = second.output.strip().splitlines()[-1]
    assert f"Port {ports[taken]} on 127.0.0.1 is taken; set AXONIZE_OTLP_{taken.upper()}_PORT" in last_line


def test_grpc_knows_no_other_method() -> None:
    with (
        grpc.insecure_channel(f"127.0.0.1:{settings.OTLP_GRPC_PORT}") as channel,
        pytest.raises(grpc.RpcError) as refusal,
    ):
        channel.unary_unary(EXPORT.replace("Export", "Import"), None, None)(b"", timeout=5)
    assert refusal.value.code() == grpc.StatusCode.UNIMPLEMENTED
