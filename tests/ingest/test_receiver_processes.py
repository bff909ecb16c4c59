"""Several receivers on the same ports, run by one command."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from clickhouse_connect.driver import Client
from django.conf import settings

from tests.conftest import Drain
from tests.otlp import request, span
from tests.otlp_clients import PROTOBUF, export_grpc, is_taken, post
from tests.processes import ROOT, Process, running, wait_until
from tests.stored import names

LISTENING = "OTLP/gRPC on"


@pytest.fixture
def receivers(engines: object) -> Iterator[Process]:  # noqa: ARG001  it must run
    with running("manage.py", "receive_otlp", "--processes", "2", until=LISTENING) as process:
        wait_until(lambda: process.output.count(LISTENING) == 2, explain=lambda: process.output)
        yield process


def pids(process: Process) -> set[int]:
    """Return the receivers that a command runs."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "-o", "args=", "--ppid", str(process.popen.pid)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {int(line.split()[0]) for line in listed.stdout.splitlines() if "receive_otlp" in line}


@pytest.mark.usefixtures("receivers")
def test_connections_are_shared_out_and_what_each_one_took_is_stored(clickhouse: Client, drain: Drain) -> None:
    sent = [f"span {number}" for number in range(32)]
    for name in sent:  # each over a connection of its own
        status, _, _ = post(request(span(name=name)).SerializeToString(), PROTOBUF)
        assert status == 200
    assert drain() >= 2, "batches: each receiver has its own"
    assert sorted(names(clickhouse)) == sorted(sent)


@pytest.mark.usefixtures("queue")
def test_one_that_is_killed_is_started_again_while_the_other_goes_on(receivers: Process) -> None:
    before = pids(receivers)
    os.kill(min(before), signal.SIGKILL)
    for _ in range(8):  # a connection that was dealt to the one that died has to be made again
        wait_until(is_taken)
    wait_until(lambda: receivers.output.count(LISTENING) == 3, explain=lambda: receivers.output)
    assert "SIGKILL; starting it again" in receivers.output
    assert len(pids(receivers)) == 2


def test_all_of_them_stop_with_the_command_and_seal_what_they_hold(
    receivers: Process, queue: redis.Redis, clickhouse: Client, drain: Drain
) -> None:
    for number in range(16):
        export_grpc(request(span(name=f"span {number}")).SerializeToString())
    running_then = pids(receivers)
    receivers.popen.terminate()
    assert receivers.wait() == 0
    assert not list(queue.scan_iter("*open:*"))
    assert not [pid for pid in running_then if Path(f"/proc/{pid}").exists()]
    drain()
    assert len(names(clickhouse)) == 16


@pytest.mark.usefixtures("receivers")
def test_a_port_that_someone_else_has_is_told_once_and_nothing_is_started() -> None:
    second = subprocess.run(
        [sys.executable, "manage.py", "receive_otlp", "--processes", "2"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"Port {settings.OTLP_GRPC_PORT} on" in second.stderr
    assert "set AXONIZE_OTLP_GRPC_PORT to a free one" in second.stderr
    assert "Traceback" not in second.stderr
    assert LISTENING not in second.stdout
