"""A whole stack of its own for a trial: `manage.py up`, the processes of its parts, and its stores asked directly."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request

import psutil  # type: ignore[import-untyped]  # it ships no types

from axonize.embedded.engines import DIRECT, http_answers, redis_answers
from axonize.embedded.part import PROJECT_DIR
from axonize.stores import STORE_VARIABLES

# What only the command line of a part's own process has; each is a direct child of `up`.
PARTS: Mapping[str, str] = {
    "receiver": "receive_otlp",
    "worker": " worker ",
    "web": "gunicorn",
    "beat": " beat ",
    "clickhouse": "axonize.embedded.clickhouse",
    "redis": "redis-server",
    "postgres": "bin/postgres",
}
WITH_CHILDREN = ("postgres", "web")
"""Parts that mend the death of a child of theirs by themselves."""
READY = "| ready  "
"""Of the line that `up` prints once every part answers; Redis too says now and then what it is ready for."""
START_SECONDS = 120
STOP_SECONDS = 40
ASK_SECONDS = 30


class Stack:
    """A running stack; make one with :func:`running`."""

    def __init__(self, process: "subprocess.Popen[bytes]", data_dir: Path, ports: Mapping[str, int], log: Path) -> None:
        self._process = process
        self._log = log
        self.data_dir = data_dir
        self.grpc_port = ports["AXONIZE_OTLP_GRPC_PORT"]
        self.http_port = ports["AXONIZE_OTLP_HTTP_PORT"]
        self._web_port = ports["AXONIZE_WEB_PORT"]
        self._clickhouse_port = ports["AXONIZE_CLICKHOUSE_PORT"]

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def process_of(self, part: str) -> psutil.Process | None:
        """Return the process of a part, None while it is down."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                with suppress(psutil.Error):
                    if PARTS[part] in " ".join(child.cmdline()) + " " and child.status() != psutil.STATUS_ZOMBIE:
                        return child
        return None

    def kill(self, part: str, *, child: bool = False) -> bool:
        """Kill a part with SIGKILL, or one of its children where it has some; tell whether there was one to kill."""
        with suppress(psutil.NoSuchProcess):
            process = self.process_of(part)
            if process is not None:
                victims = [process, *process.children()]
                victims[-1 if child else 0].kill()
                return True
        return False

    @contextmanager
    def stopped(self, part: str) -> Iterator[None]:
        """Hold a part with SIGSTOP for as long as the context lasts."""
        process = self.process_of(part)
        if process is None:
            raise RuntimeError(f"{part} is not running.")
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    def missing(self) -> list[str]:
        """Return the parts that are down, or up without an answer."""
        missing = [part for part in PARTS if self.process_of(part) is None]
        if not http_answers(f"http://127.0.0.1:{self._web_port}/readyz"):
            missing.append("web's readiness")
        if not redis_answers(self.data_dir):
            missing.append("redis's answer")
        return missing

    def get(self, path: str, **parameters: object) -> Any:
        """Return the JSON that the REST API answers. Raises OSError."""
        return json.loads(self.get_bytes(f"{path}?{urlencode(parameters)}"))

    def get_bytes(self, address: str) -> bytes:
        """Return the body that the REST API answers to a path with its query, as it came. Raises OSError."""
        return fetch(Request(f"http://127.0.0.1:{self._web_port}{address}"))

    def ask(self, sql: str) -> list[list[str]]:
        """Ask ClickHouse and return the rows of its answer, every value a text. Raises OSError."""
        request = Request(f"http://127.0.0.1:{self._clickhouse_port}/?database=axonize", sql.encode())
        return [line.split("\t") for line in fetch(request).decode().splitlines()]


def fetch(request: Request) -> bytes:
    """Return the body of an answer with 200. Raises OSError, HTTPError for another status."""
    try:
        with DIRECT.open(request, timeout=ASK_SECONDS) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        error.close()
        raise
    except HTTPException as error:
        raise OSError(f"The answer broke off: {error!r}") from error


@contextmanager
def running(ports: Mapping[str, int], *, data_dir: Path | None = None, **environment: str) -> Iterator[Stack]:
    """Run a stack, ready, for as long as the context lasts.

    Args:
        ports: the value of each variable that names a port.
        data_dir: an empty directory with a short path; without it, one that is removed at the end.
        environment: further variables, `AXONIZE_QUEUE_MAX_BYTES="1000000"`.

    Raises:
        RuntimeError: it did not come up; the message ends with what it printed.

    """
    with tempfile.TemporaryDirectory(prefix="axz-", ignore_cleanup_errors=True) as folder:
        own = Path(folder)
        own.chmod(0o711)  # run by root, PostgreSQL becomes another user
        log = own / "up.log"
        data = data_dir or own / "d"
        inherited = {name: value for name, value in os.environ.items() if name not in STORE_VARIABLES}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=PROJECT_DIR,
                env=inherited
                | {"AXONIZE_DATA_DIR": str(data), "AXONIZE_LOG_LEVEL": "WARNING"}
                | {name: str(port) for name, port in ports.items()}
                | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        stack = Stack(process, data, ports, log)
        try:
            wait(lambda: READY in stack.log or process.poll() is not None, START_SECONDS)
            if READY not in stack.log:
                raise RuntimeError(f"The stack did not start: {stack.log[-2000:]}")
            yield stack
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if data_dir is None:
                shutil.rmtree(data, ignore_errors=True)


def wait(condition: Callable[[], object], seconds: float, *, poll_seconds: float = 0.1) -> bool:
    """Wait until a condition holds, taking an OSError for a no; tell whether it came to hold in time."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            if condition():
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_seconds)
