"""The receiver under clients that want too much of it: it stays small, serves the others, says when to come again."""

import logging
import os
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

import grpc
import pytest
import redis
from backports import zstd
from clickhouse_connect.driver import Client
from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from tests.conftest import Drain
from tests.http2 import Call, message_head
from tests.otlp import request, span
from tests.otlp_clients import EXPORT, PROTOBUF, export_grpc, is_taken, post, sdk_exporters
from tests.processes import Process, running, wait_until
from tests.stored import names

CLIENTS = 64
MOST_MEMORY_BYTES = 400 * 10**6
ZEROS_BYTES = 10**9


@pytest.fixture(autouse=True)
def receiver(queue: redis.Redis) -> Iterator[Process]:  # noqa: ARG001  emptied
    with running("manage.py", "receive_otlp", until="OTLP/gRPC on") as process:
        yield process


def peak_memory_bytes(process: Process) -> int:
    """Return the largest resident set that the process has had (proc_pid_status(5))."""
    status = Path(f"/proc/{process.popen.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def assert_it_serves() -> None:
    """Send a good request over both transports, each answered within the time that a client waits."""
    assert export_grpc(request(span()).SerializeToString()) == ExportTraceServiceResponse()
    assert post(request(span()).SerializeToString(), PROTOBUF)[0] == 200


@pytest.mark.parametrize("attribute", ["a" * 9_000_000, "", None], ids=["long texts", "small requests", "noise"])
def test_a_flood_of_64_clients_leaves_it_small(receiver: Process, queue: redis.Redis, attribute: str | None) -> None:
    outcomes: set[grpc.StatusCode | None] = set()

    def flood(_client: int) -> None:
        with grpc.insecure_channel(
            f"127.0.0.1:{settings.OTLP_GRPC_PORT}",
            options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)],
        ) as channel:
            call = channel.unary_unary(EXPORT, None, None)
            for _ in range(3):
                value = os.urandom(6_000_000) if attribute is None else attribute
                body = request(*(span() for _ in range(100)), span(attributes={"content": value})).SerializeToString()
                try:
                    call(body, timeout=60)
                    outcomes.add(None)
                except grpc.RpcError as error:
                    outcomes.add(error.code())

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(flood, range(CLIENTS)))
    assert None in outcomes
    assert outcomes <= {None, grpc.StatusCode.UNAVAILABLE}
    assert peak_memory_bytes(receiver) < MOST_MEMORY_BYTES
    queue.flushdb()
    wait_until(is_taken, timeout_s=2)
    assert_it_serves()


@cache
def gzip_of_zeros() -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    pieces = [compressor.compress(bytes(10**7)) for _ in range(ZEROS_BYTES // 10**7)]
    return b"".join(pieces) + compressor.flush()


def zstd_of_zeros() -> bytes:
    compressor = zstd.ZstdCompressor()
    pieces = [compressor.compress(bytes(10**7)) for _ in range(ZEROS_BYTES // 10**7)]
    return b"".join(pieces) + compressor.flush()


@pytest.mark.parametrize(("encoding", "make"), [("gzip", gzip_of_zeros), ("zstd", zstd_of_zeros)])
def test_a_gigabyte_of_zeros_over_http_is_refused_and_takes_no_memory(
    receiver: Process, encoding: str, make: Callable[[], bytes]
) -> None:
    bomb = make()
    assert post(bomb, PROTOBUF | {"content-encoding": encoding})[0] == 413
    assert peak_memory_bytes(receiver) < MOST_MEMORY_BYTES
    assert_it_serves()


def test_a_gigabyte_of_zeros_over_grpc_is_refused_and_takes_no_memory(receiver: Process) -> None:
    bomb = gzip_of_zeros()
    call = Call(settings.OTLP_GRPC_PORT, grpc_encoding="gzip")
    call.send(message_head(len(bomb), compressed=True) + bomb, last=True)
    assert b"larger than max" in call.answer()
    call.close()
    assert peak_memory_bytes(receiver) < MOST_MEMORY_BYTES
    assert_it_serves()


@contextmanager
def slow_http_clients() -> Iterator[None]:
    """Have clients that announce a large request and send a little of it."""
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", settings.OTLP_HTTP_PORT), timeout=10))
            client.sendall(
                b"POST /v1/traces HTTP/1.1\r\nhost: tests\r\ncontent-type: application/x-protobuf\r\n"
                b"content-length: 1000000\r\n\r\nsome"
            )
        yield


@contextmanager
def slow_grpc_clients() -> Iterator[None]:
    """Have the same over gRPC."""
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            call = Call(settings.OTLP_GRPC_PORT)
            clients.callback(call.close)
            call.send(message_head(1_000_000) + b"some")
        yield


@contextmanager
def silent_clients() -> Iterator[None]:
    """Have clients that connect and say nothing, or not all of what a request begins with."""
    with ExitStack() as clients:
        for port in (settings.OTLP_HTTP_PORT, settings.OTLP_GRPC_PORT):
            for _ in range(4 * CLIENTS):
                client = clients.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                client.sendall(b"P")
        yield


@pytest.mark.parametrize("clients", [slow_http_clients, slow_grpc_clients, silent_clients])
def test_clients_that_are_slow_hold_up_no_other(clients: Callable[[], AbstractContextManager[None]]) -> None:
    with clients():
        assert_it_serves()
    assert_it_serves()


def test_a_request_whose_head_has_no_end_is_cut_off() -> None:
    with socket.create_connection(("127.0.0.1", settings.OTLP_HTTP_PORT), timeout=10) as client:
        client.sendall(b"POST /v1/traces HTTP/1.1\r\n")
        far_more_than_buffers_take = (b"x-padding: " + b"x" * 10_000 + b"\r\n") * 5_000
        with pytest.raises(ConnectionError):
            client.sendall(far_more_than_buffers_take)
    assert_it_serves()


def test_while_the_queue_is_full_requests_are_refused_before_they_are_read(queue: redis.Redis) -> None:
    queue.set("axonize:queued_bytes", settings.QUEUE_MAX_BYTES)
    head = (
        b"POST /v1/traces HTTP/1.1\r\nhost: tests\r\ncontent-type: application/x-protobuf\r\n"
        b"content-length: 1000000\r\n\r\nsome"
    )

    def is_refused() -> bool:
        """Tell whether the head of a request is answered at once, when the queue has just refused a whole one."""
        assert post(request(span()).SerializeToString(), PROTOBUF)[0] == 503
        with socket.create_connection(("127.0.0.1", settings.OTLP_HTTP_PORT), timeout=10) as client:
            client.sendall(head)
            client.settimeout(0.05)
            with suppress(TimeoutError):
                return client.recv(65536).startswith(b"HTTP/1.1 503")
        return False

    wait_until(is_refused)
    queue.delete("axonize:queued_bytes")
    wait_until(is_taken, timeout_s=2)


class Refusals(logging.Handler):
    """Notices when an exporter of the SDK says that it was refused for now."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "retrying" in record.getMessage().lower():
            self.seen.set()


@pytest.mark.parametrize(("name", "exporter"), sdk_exporters()[:1] + sdk_exporters()[2:3])
def test_what_a_full_queue_refuses_the_sdk_delivers_by_itself(
    name: str, exporter: SpanExporter, drain: Drain, clickhouse: Client, queue: redis.Redis
) -> None:
    refusals = Refusals()
    logging.getLogger("opentelemetry").addHandler(refusals)
    queue.set("axonize:queued_bytes", settings.QUEUE_MAX_BYTES)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=10))
    with provider.get_tracer("tests").start_as_current_span(name):
        pass
    wait_until(refusals.seen.is_set)
    queue.delete("axonize:queued_bytes")
    wait_until(lambda: queue.zcard("axonize:open") or queue.zcard("axonize:sealed"))
    provider.shutdown()
    logging.getLogger("opentelemetry").removeHandler(refusals)
    drain()
    assert names(clickhouse) == [name]
