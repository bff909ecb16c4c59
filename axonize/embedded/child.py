"""One process in a group of its own: guarded, its output told line by line, nothing of it left when it has ended."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from axonize.embedded.guarded import Guardian
from axonize.embedded.part import PROJECT_DIR

Say = Callable[[str, str], None]
"""Prints a line: of whom it is, the line."""

LINE_MAX_BYTES = 64 * 1024
OUTPUT_AFTER_DEATH_SECONDS = 1.0


class Child:
    """A started process; make one with :meth:`start`."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, say: Say, guardian: Guardian) -> None:
        self._process = process
        self._guardian = guardian
        self._output = asyncio.create_task(self._tell_output(name, say))

    @classmethod
    async def start(
        cls, name: str, argv: Sequence[str], *, say: Say, guardian: Guardian, stop_signal: signal.Signals
    ) -> "Child":
        """Start a command in the project's directory."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=PROJECT_DIR,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        guardian.watch(process.pid, stop_signal)
        return cls(process, name, say, guardian)

    async def wait(self) -> int:
        """Return the exit code, negative for a signal, when the process and all that it started are gone."""
        code = await self._process.wait()
        self.kill()
        self._guardian.forget(self._process.pid)
        await asyncio.wait([self._output], timeout=OUTPUT_AFTER_DEATH_SECONDS)
        self._output.cancel()
        return code

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process and what it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _tell_output(self, name: str, say: Say) -> None:
        if self._process.stdout is not None:
            async for line in _lines(self._process.stdout):
                say(name, line.decode(errors="replace"))


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    rest = b""
    while chunk := await stream.read(LINE_MAX_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > LINE_MAX_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest


def ending(code: int) -> str:
    """Put an exit code into words.

    >>> ending(-9)
    'SIGKILL'
    """
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
