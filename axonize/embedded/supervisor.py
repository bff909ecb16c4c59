"""Keeps the parts of the stack running: starts them, starts again what ends, stops them in order."""

import asyncio
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from axonize.embedded.child import Child, Say, ending
from axonize.embedded.guarded import Guardian
from axonize.embedded.part import Part

POLL_SECONDS = 0.1
SYSTEM = "up"
"""The name under which the supervisor itself speaks."""


class StartError(Exception):
    """Something that the others need did not start."""


@dataclass(frozen=True)
class Pauses:
    """How long to wait before a part that ended is started again: longer each time, unless it ran well in between."""

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    healthy_after_seconds: float = 30.0

    def after(self, pause_seconds: float, ran_seconds: float) -> float:
        """Return the next pause, when the part ran for ``ran_seconds`` after a pause (0 for none yet)."""
        if not pause_seconds or ran_seconds >= self.healthy_after_seconds:
            return self.first_seconds
        return min(pause_seconds * 2, self.longest_seconds)


class Keeper:
    """One part, kept running until it is told to stop."""

    def __init__(self, part: Part, say: Say, guardian: Guardian, pauses: Pauses) -> None:
        self.part = part
        self.ended_once = False
        self._say = say
        self._guardian = guardian
        self._pauses = pauses
        self._stopping = asyncio.Event()
        self._child: Child | None = None
        self._task = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            started = time.monotonic()
            self._child = child = await Child.start(
                self.part.name,
                self.part.argv,
                say=self._say,
                guardian=self._guardian,
                stop_signal=self.part.stop_signal,
            )
            if self._stopping.is_set():
                child.signal(self.part.stop_signal)
            code = await child.wait()
            self._child = None
            self.ended_once = True
            if not self._stopping.is_set():
                pause = self._pauses.after(pause, time.monotonic() - started)
                self._say(SYSTEM, f"{self.part.name} ended with {ending(code)}; starting it again in {pause:g} s")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)

    async def answers(self) -> bool:
        """Whether the part runs and does its work."""
        return self._child is not None and await asyncio.to_thread(self.part.answers)

    async def stop(self) -> None:
        """Ask the part to stop, kill it when its grace is over, and return when it is gone."""
        self._stopping.set()
        if self._child is not None:
            self._child.signal(self.part.stop_signal)
        done, _ = await asyncio.wait([self._task], timeout=self.part.stop_grace_seconds)
        if not done:
            self._say(SYSTEM, f"{self.part.name} did not stop within {self.part.stop_grace_seconds:g} s: killed")
            self.kill()
        await self._task

    def kill(self) -> None:
        """Kill the part at once, and keep it no longer."""
        self._stopping.set()
        if self._child is not None:
            self._child.kill()


class Supervisor:
    """The parts that run, and the guardian that ends them should this process die."""

    def __init__(self, say: Say, pauses: Pauses | None = None) -> None:
        self._say = say
        self._pauses = pauses or Pauses()
        self._guardian = Guardian()
        self._keepers: dict[str, Keeper] = {}

    def start(self, parts: Sequence[Part]) -> None:
        """Start parts and keep them running; they are stopped in the reverse order."""
        for part in parts:
            self._keepers[part.name] = Keeper(part, self._say, self._guardian, self._pauses)

    async def answered(self, *, at_first_try: bool = False, remind_seconds: float = 15.0) -> None:
        """Return when every part that was started so far answers, and say now and then which do not yet.

        Args:
            at_first_try: give up when a part ends before it answers.
            remind_seconds: the time between two reminders.

        Raises:
            StartError: it gave up.

        """
        waiting = list(self._keepers.values())
        reminded = time.monotonic()
        while True:
            answers = await asyncio.gather(*(keeper.answers() for keeper in waiting))
            waiting = [keeper for keeper, answer in zip(waiting, answers, strict=True) if not answer]
            if not waiting:
                return
            if at_first_try and (ended := [keeper.part.name for keeper in waiting if keeper.ended_once]):
                raise StartError(f"{ended[0]} did not start.")
            if time.monotonic() - reminded > remind_seconds:
                reminded = time.monotonic()
                self._say(SYSTEM, f"still waiting for {', '.join(keeper.part.name for keeper in waiting)}")
            await asyncio.sleep(POLL_SECONDS)

    async def run(self, name: str, argv: Sequence[str]) -> None:
        """Run a command to its end.

        Raises:
            StartError: it failed.

        """
        child = await Child.start(name, argv, say=self._say, guardian=self._guardian, stop_signal=signal.SIGTERM)
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            child.kill()
            await child.wait()
            raise
        if code:
            raise StartError(f"{name} failed with {ending(code)}.")

    async def stop(self, *, within_seconds: float) -> None:
        """Stop the parts, the last started first, each when the one before it is gone; in time, if need be by force."""
        deadline = asyncio.get_running_loop().call_later(within_seconds, self.kill)
        for keeper in reversed(self._keepers.values()):
            await keeper.stop()
        deadline.cancel()
        self._guardian.close()

    def kill(self) -> None:
        """Kill every part at once."""
        for keeper in self._keepers.values():
            keeper.kill()
