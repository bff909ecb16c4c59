"""The three embedded servers as processes: what to start, when they answer, and running them for a while."""

import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from axonize.embedded.datadir import socket_dir
from axonize.embedded.guarded import Guardian
from axonize.embedded.part import PROJECT_DIR, Part
from axonize.embedded.postgres import DATABASE, SUPERUSER

NAMES = ("redis", "postgres", "clickhouse")
PROBE_TIMEOUT_SECONDS = 2
START_SECONDS = 60
POLL_SECONDS = 0.02
# A proxy of the environment is not for this machine's own addresses, nor is a certificate in their name.
DIRECT = build_opener(ProxyHandler({}), HTTPSHandler(context=ssl._create_unverified_context()))  # noqa: S323, SLF001


class EngineStartError(Exception):
    """An engine did not come up; the message ends with what it printed."""


def redis_answers(data_dir: Path) -> bool:
    path = str(socket_dir(data_dir) / "redis.sock")
    client = redis.Redis(unix_socket_path=path, socket_timeout=PROBE_TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def postgres_answers(data_dir: Path) -> bool:
    try:
        psycopg.connect(
            host=str(socket_dir(data_dir)), user=SUPERUSER, dbname=DATABASE, connect_timeout=PROBE_TIMEOUT_SECONDS
        ).close()
    except psycopg.Error:
        return False
    return True


def http_answers(url: str, **headers: str) -> bool:
    """Whether a GET of the URL is answered with 200."""
    request = Request(url, headers=headers)  # noqa: S310 - a URL of this machine
    try:
        with DIRECT.open(request, timeout=PROBE_TIMEOUT_SECONDS) as response:
            return bool(response.status == HTTPStatus.OK)
    except (OSError, HTTPException):
        return False


def parts(data_dir: Path, clickhouse_port: int, *, only: Collection[str] = NAMES) -> list[Part]:
    """List the engines of a data directory, in the order in which to start them; they stop in the reverse order."""
    data_dir = data_dir.resolve()

    def module(name: str, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", f"axonize.embedded.{name}", "--data-dir", str(data_dir), *arguments)

    every = [
        Part("redis", module("redis"), lambda: redis_answers(data_dir)),
        # SIGINT is PostgreSQL's fast stop; SIGTERM would wait until the last client has left.
        Part("postgres", module("postgres"), lambda: postgres_answers(data_dir), stop_signal=signal.SIGINT),
        Part(
            "clickhouse",
            module("clickhouse", "--port", str(clickhouse_port)),
            lambda: http_answers(f"http://127.0.0.1:{clickhouse_port}/ping"),
        ),
    ]
    return [part for part in every if part.name in only]


@contextmanager
def running(data_dir: Path, clickhouse_port: int, *, only: Collection[str] = NAMES) -> Iterator[None]:
    """Run engines on a data directory for as long as the context lasts, and no longer than this process lives.

    Args:
        data_dir: where their data is, or will be.
        clickhouse_port: the loopback port for ClickHouse.
        only: which of :data:`NAMES` to run.

    Raises:
        EngineStartError: one of them ended, or did not answer within a minute.

    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        guardian = stack.enter_context(closing(Guardian()))
        every = parts(data_dir, clickhouse_port, only=only)
        outputs = [data_dir / f"{part.name}.log" for part in every]
        processes = [stack.enter_context(_process(*each, guardian)) for each in zip(every, outputs, strict=True)]
        for each in zip(every, outputs, processes, strict=True):
            _wait(*each)
        yield


@contextmanager
def _process(part: Part, output: Path, guardian: Guardian) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            part.argv, cwd=PROJECT_DIR, stdout=file, stderr=file, start_new_session=True
        )
    guardian.watch(process.pid, part.stop_signal)
    try:
        yield process
    finally:
        process.send_signal(part.stop_signal)
        try:
            process.wait(part.stop_grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        guardian.forget(process.pid)


def _wait(part: Part, output: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while not part.answers():
        if process.poll() is not None or time.monotonic() > until:
            raise EngineStartError(f"{part.name} did not start: {output.read_text(errors='replace').strip()}")
        time.sleep(POLL_SECONDS)
