"""Runs the project's own commands as processes, for tests."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Process:
    """A running command whose output is collected."""

    def __init__(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait(self, timeout_s: float = 20) -> int:
        """Wait for the end and return the exit status."""
        status = self.popen.wait(timeout_s)
        self._reader.join(timeout_s)
        return status

    def wait_for(self, text: str, timeout_s: float = 30) -> None:
        """Wait until the output contains a text."""
        wait_until(lambda: text in self.output or self.popen.poll() is not None, timeout_s, lambda: self.output)
        assert text in self.output, self.output

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as output:
            self.lines.extend(output)


def finished(
    *command: str, env: Mapping[str, str] | None = None, check: bool = False, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself; `check` raises CalledProcessError where it fails."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=check,
    )


@contextlib.contextmanager
def running(
    *command: str, env: Mapping[str, str] | None = None, until: str, timeout_s: float = 30
) -> Iterator[Process]:
    """Run a command, yield it once it has printed `until`, and end it with SIGTERM."""
    process = Process(*command, env=env)
    try:
        process.wait_for(until, timeout_s)
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.terminate()
        try:
            process.wait()
        finally:
            process.popen.kill()


def wait_until(condition: Callable[[], object], timeout_s: float = 20, explain: Callable[[], str] = str) -> None:
    """Wait for a condition, looking often, and fail when it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not in {timeout_s} s. {explain()}"
        pause.wait(0.01)
