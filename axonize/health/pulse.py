"""The heartbeat of a process whose work has a loop of its own: a thread that watches the loop, and says how it is.

A thread, for the loop itself stands still while Redis is away, and that is no reason to start the process again.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from axonize.health.heartbeat import INTERVAL_SECONDS, Heartbeat, State

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 5.0
"""How often what the process stands on is asked."""
MIGRATIONS_SECONDS: Final = 60.0
"""How often schemas are looked at again that were found current: it costs more than all else."""
LATE_SECONDS: Final = 5.0
"""A loop that has not turned for so long does no work."""
HUNG_SECONDS: Final = 60.0
"""One that has not turned for so long while Redis answered all the time hangs; Celery waits half of it to connect."""


class Pulse(threading.Thread):
    """Writes the heartbeat of a part each second, from its start until `stop`."""

    def __init__(
        self, directory: Path, part: str, *, checks: Collection[str], stuck: Callable[[], str] = lambda: ""
    ) -> None:
        """Begin with a loop that has not turned yet.

        Args:
            directory: AXONIZE_HEALTH_DIR.
            part: `worker` or `beat`.
            checks: the names of what the part stands on, as axonize.health.checks has them; Redis among them.
            stuck: returns a sentence where the part hangs though its loop turns.

        """
        super().__init__(name=f"pulse-{part}", daemon=True)
        self._heartbeat = Heartbeat(directory, part)
        self._checks = checks
        self._stuck = stuck
        self._ending = threading.Event()
        self._began_s = self._redis_failed_s = time.monotonic()
        self._turned_s: float | None = None
        self._checked_s = self._current_until_s = 0.0
        self._fault = ""

    def turned(self) -> None:
        """Take note that the loop goes round."""
        self._turned_s = time.monotonic()

    def run(self) -> None:
        while not self._ending.wait(INTERVAL_SECONDS):
            try:
                state = self.look()
            except Exception as error:
                logger.exception("The health of this process can't be told")
                state = State(unready=f"Its health can't be told ({type(error).__name__}): see the log.")
            self._heartbeat.write(state)
        self._heartbeat.remove()

    def stop(self) -> None:
        """End the thread and take the file away: the process goes."""
        self._ending.set()
        if self.is_alive():
            self.join(INTERVAL_SECONDS)

    def look(self) -> State:
        """Return how the part is now."""
        now_s = time.monotonic()
        if now_s - self._checked_s >= CHECK_SECONDS or not self._checked_s:
            self._fault = self._ask(now_s)
            self._checked_s = now_s
        if stuck := self._stuck():
            return State(hung=stuck)
        silent_s = now_s - (self._turned_s or self._began_s)
        if min(silent_s, now_s - self._redis_failed_s) > HUNG_SECONDS:
            return State(hung=f"Its loop has not turned for {silent_s:.0f} s, though Redis answers.")
        if self._fault:
            return State(unready=self._fault)
        if self._turned_s is None:
            return State(unready="It is not connected to Redis yet.")
        if silent_s > LATE_SECONDS:
            return State(unready=f"Its loop has not turned for {silent_s:.0f} s.")
        return State()

    def _ask(self, now_s: float) -> str:
        from axonize.health import checks  # noqa: PLC0415 - Celery makes the thread before Django is there

        names = [name for name in self._checks if name != "migrations" or now_s >= self._current_until_s]
        verdicts = checks.run_checks(names)
        if verdicts["redis"] != checks.OK:
            self._redis_failed_s = now_s
        if verdicts.get("migrations") == checks.OK:
            self._current_until_s = now_s + MIGRATIONS_SECONDS
        return checks.first_fault(verdicts)
