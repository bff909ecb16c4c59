"""How a receiver says that it takes spans: over HTTP, by gRPC's health protocol and by its heartbeat."""

import asyncio
import json
import os
import queue as queues
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
import redis
from django.conf import settings
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from ingest.receiver.grpc_health import READERS, WATCHERS_OF_A_HOST, Context, Health
from ingest.receiver.readiness import Readiness
from tests.engines import free_ports
from tests.health import NOT_SERVING, SERVING, TRACE_SERVICE, grpc_health, health
from tests.otlp_clients import post
from tests.processes import Process, running, wait_until


class Receiver:
    """A running receiver, with a Redis and a health directory of its own."""

    def __init__(self, process: Process, env: dict[str, str]) -> None:
        self.process = process
        self.env = env
        self.grpc_port = int(env["AXONIZE_OTLP_GRPC_PORT"])
        self.http_port = int(env["AXONIZE_OTLP_HTTP_PORT"])

    def readyz(self) -> tuple[int, Any]:
        status, _, body = post(b"", {}, port=self.http_port, path="/readyz", method="GET")
        return status, json.loads(body)

    def says(self) -> tuple[int, int, int]:
        """Return what HTTP, gRPC and the command say."""
        return self.readyz()[0], grpc_health(self.grpc_port, TRACE_SERVICE), health("receiver", env=self.env)[0]


WELL = (200, SERVING, 0)
UNWELL = (503, NOT_SERVING, 1)


@pytest.fixture
def receiver(own_redis: tuple[redis.Redis, str], tmp_path: Path) -> Iterator[Receiver]:
    ports = [str(port) for port in free_ports(2)]
    env = {
        "REDIS_URL": own_redis[1],
        "AXONIZE_HEALTH_DIR": str(tmp_path / "health"),
        "AXONIZE_OTLP_GRPC_PORT": ports[0],
        "AXONIZE_OTLP_HTTP_PORT": ports[1],
    }
    with running("manage.py", "receive_otlp", env=env, until="OTLP/gRPC on") as process:
        receiver = Receiver(process, env)
        wait_until(lambda: receiver.says() == WELL, explain=lambda: process.output)
        yield receiver


def pid_of(client: redis.Redis) -> int:
    return int(client.info("server")["process_id"])


def test_it_says_so_while_redis_hangs_and_after_and_lives_all_the_time(
    receiver: Receiver, own_redis: tuple[redis.Redis, str]
) -> None:
    assert receiver.readyz() == (200, {"status": "ready"})
    pid = pid_of(own_redis[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: receiver.says() == UNWELL)
        assert receiver.readyz()[1] == {"status": "unavailable", "reason": "Redis does not answer."}
        code, line = health("receiver", env=receiver.env)
        assert code == 1
        assert line == f"The receiver (process {receiver.process.popen.pid}): Redis does not answer.\n"
        assert health("receiver", "--live", env=receiver.env) == (0, "The receiver lives.\n")
        assert post(b"", {}, port=receiver.http_port, path="/healthz", method="GET")[0] == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: receiver.says() == WELL)


def test_it_says_so_while_redis_is_away(receiver: Receiver, own_redis: tuple[redis.Redis, str]) -> None:
    own_redis[0].shutdown(nosave=True)
    wait_until(lambda: receiver.says() == UNWELL)
    assert receiver.readyz()[1]["reason"] == "Redis does not answer."


def test_it_says_so_while_the_queue_is_full(receiver: Receiver, own_redis: tuple[redis.Redis, str]) -> None:
    own_redis[0].set("axonize:queued_bytes", settings.QUEUE_MAX_BYTES)
    wait_until(lambda: receiver.says() == UNWELL)
    assert receiver.readyz()[1]["reason"] == "The queue is full."
    own_redis[0].set("axonize:queued_bytes", 0)
    wait_until(lambda: receiver.says() == WELL)


def test_it_says_so_while_redis_answers_and_takes_no_writes(
    receiver: Receiver, own_redis: tuple[redis.Redis, str]
) -> None:
    own_redis[0].config_set("maxmemory", "1")
    wait_until(lambda: receiver.says() == UNWELL)
    assert receiver.readyz()[1]["reason"] == (
        "Redis takes no writes: command not allowed when used memory > 'maxmemory'."
    )
    own_redis[0].config_set("maxmemory", "0")
    wait_until(lambda: receiver.says() == WELL)
    assert own_redis[0].exists("axonize:probe") == 0, "to ask leaves nothing behind"


def test_a_receiver_that_hangs_is_found_by_its_silence(receiver: Receiver) -> None:
    receiver.process.popen.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: health("receiver", "--live", env=receiver.env)[0] == 1)
        assert "hangs: it has written nothing for" in health("receiver", "--live", env=receiver.env)[1]
    finally:
        receiver.process.popen.send_signal(signal.SIGCONT)


def test_who_died_without_a_word_is_not_taken_for_alive(receiver: Receiver) -> None:
    receiver.process.popen.kill()
    receiver.process.wait()
    code, line = health("receiver", "--live", env=receiver.env)
    assert code == 1
    assert line.startswith("No receiver runs here: none writes to ")


def test_a_service_that_it_does_not_have_is_not_found(receiver: Receiver) -> None:
    assert grpc_health(receiver.grpc_port) == SERVING
    with pytest.raises(grpc.RpcError) as caught:
        grpc_health(receiver.grpc_port, "no.such.Service")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_watcher_is_told_before_the_receiver_stops(receiver: Receiver) -> None:
    told: queues.SimpleQueue[int] = queues.SimpleQueue()
    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
        stream = HealthStub(channel).Watch(HealthCheckRequest(service=TRACE_SERVICE))

        def listen() -> None:
            for answer in stream:
                told.put(answer.status)

        threading.Thread(target=listen, daemon=True).start()
        assert told.get(timeout=10) == SERVING
        receiver.process.popen.terminate()
        assert told.get(timeout=10) == NOT_SERVING
        assert receiver.process.wait() == 0
    assert not list(Path(receiver.env["AXONIZE_HEALTH_DIR"]).iterdir()), "it leaves nothing behind"


def test_a_watcher_is_told_also_of_what_changes_while_it_is_told() -> None:
    readiness = Readiness()
    readiness.unready = ""
    said: list[int] = []

    class Watcher:
        """A call of a client that takes its time with the first word."""

        async def read(self) -> bytes:
            return bytes(HealthCheckRequest(service=TRACE_SERVICE).SerializeToString())

        def peer(self) -> str:
            return "ipv4:127.0.0.1:1"

        async def write(self, response: HealthCheckResponse) -> None:
            said.append(response.status)
            readiness.stopping()

    async def watch() -> None:
        async with asyncio.timeout(10):
            await Health(readiness, frozenset({TRACE_SERVICE})).watch(None, cast(Context, Watcher()))

    asyncio.run(watch())
    assert said == [SERVING, NOT_SERVING]


def test_a_watcher_of_an_unknown_service_is_told_that_it_is(receiver: Receiver) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
        stream = HealthStub(channel).Watch(HealthCheckRequest(service="no.such.Service"), timeout=10)
        assert next(stream).status == HealthCheckResponse.SERVICE_UNKNOWN
        stream.cancel()


def test_watchers_are_bounded_and_their_places_are_given_back(receiver: Receiver) -> None:
    with ExitStack() as stack:
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}"))
        watch = HealthStub(channel).Watch
        streams = [watch(HealthCheckRequest()) for _ in range(WATCHERS_OF_A_HOST)]
        assert {next(stream).status for stream in streams} == {SERVING}
        with pytest.raises(grpc.RpcError) as caught:
            next(watch(HealthCheckRequest()))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        for stream in streams:
            stream.cancel()

        def is_watched() -> bool:
            try:
                return bool(next(watch(HealthCheckRequest(), timeout=10)).status == SERVING)
            except grpc.RpcError:
                return False

        wait_until(is_watched)


def test_callers_that_send_no_request_keep_nobody_from_an_answer(receiver: Receiver) -> None:
    sent = threading.Event()

    def nothing() -> Iterator[bytes]:
        sent.wait(60)
        yield from ()

    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
        method = channel.stream_unary("/grpc.health.v1.Health/Check", None, None)
        slow = [method.future(nothing(), timeout=60) for _ in range(2 * READERS)]
        assert grpc_health(receiver.grpc_port) == SERVING
        assert {call.code() for call in slow} == {grpc.StatusCode.INVALID_ARGUMENT}
        sent.set()


def test_a_call_without_a_request_is_refused(receiver: Receiver) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
        method = channel.unary_unary("/grpc.health.v1.Health/Check", None, None)
        with pytest.raises(grpc.RpcError) as caught:
            method(b"\xff" * 1000, timeout=10)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
