"""Reports what this process has counted: every few seconds, when it is scraped, and when it ends."""

import atexit
import logging
import os
import threading
import time
from typing import Final

import redis

from axonize.error_text import told
from axonize.metrics.process import STARTS, Process
from axonize.metrics.snapshot import Snapshot, Values, taken
from axonize.metrics.store import Store

logger = logging.getLogger(__name__)

SHORTEST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 15.0
# Of a core, the part that reporting may take; and what it may write, for Redis appends each report to its file.
CPU_SHARE: Final = 0.001
BYTES_PER_SECOND: Final = 8 * 1024

# No process may be forked while another thread holds the locks of the metrics: its child would wait for ever.
_collecting: Final = threading.Lock()
os.register_at_fork(before=_collecting.acquire, after_in_parent=_collecting.release, after_in_child=_collecting.release)


class Reporter:
    """A process's reports. What was counted before a process was forked is its parent's, and left out."""

    def __init__(self, process: Process, *, without: Values) -> None:
        self._process = process
        self._without = without  # counted elsewhere
        self._kept: Values | None = None  # of the last report that Redis has
        self._store = Store()
        self._turn = threading.Lock()
        self._is_ended = threading.Event()

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self) -> None:
        """Report until the end."""
        is_told = True
        pause_seconds = 0.0
        while not self._is_ended.wait(pause_seconds):
            began_s = time.thread_time()
            size_bytes = 0
            try:
                size_bytes = self.report()
                is_told = True
            except redis.RedisError as error:
                if is_told:
                    logger.warning("Redis does not take this process's metrics, which wait: %s", told(error))
                is_told = False
            pause_seconds = pause_after(time.thread_time() - began_s, size_bytes)

    def report(self, *, is_last: bool = False) -> int:
        """Report now; return how many bytes that were, 0 after the last report. Raises redis.RedisError."""
        with self._turn:
            if self._is_ended.is_set() and not is_last:
                return 0  # it would be taken for one that came back, and then for one that was lost
            text, totals = self._told()
            if not self._keep(text, is_last=is_last):
                # It was silent for so long that what it had told is counted as gone.
                self._without, self._kept = self._kept or {}, None
                text, totals = self._told()
                self._keep(text, is_last=is_last)
            self._kept = totals
            return len(text)

    def end(self) -> None:
        """Report for the last time."""
        self._is_ended.set()
        try:
            self.report(is_last=True)
        except redis.RedisError as error:
            logger.info("The last seconds of this process are not in the metrics: %s", told(error))
        self._store.close()

    def _told(self) -> tuple[bytes, Values]:
        with _collecting:
            snapshot, totals = taken(self._process, without=self._without)
        return snapshot.as_text(), totals

    def _keep(self, text: bytes, *, is_last: bool) -> bool:
        return self._store.report(self._process.name, text, is_first=self._kept is None, is_last=is_last)


_reporter: Reporter | None = None
_told_elsewhere = False  # what this process, or the one that it was forked from, counted up to now is reported already


def start(kind: str) -> None:
    """Report of this process from now on, as one of process.KINDS. Called again, it changes nothing."""
    global _reporter, _told_elsewhere
    if _own() is not None:
        return
    process = Process(kind)
    counted = taken(process, without={})[1] if _told_elsewhere else {}
    STARTS.labels(kind).inc()
    _reporter, _told_elsewhere = Reporter(process, without=counted), True
    threading.Thread(target=_reporter.run, name="metrics", daemon=True).start()
    atexit.register(end)


def end() -> None:
    """Report for the last time. What is counted afterwards is not in the metrics."""
    global _reporter  # noqa: PLW0603 - as above
    if reporter := _own():
        _reporter = None
        reporter.end()


def _own() -> Reporter | None:
    """Return this process's reporter, and not that of the one that it was forked from."""
    return _reporter if _reporter is not None and _reporter.pid == os.getpid() else None


def brought_up_to_date() -> Snapshot | None:
    """Report now. Where this process has no reporter, as of `runserver`, return what it would have told.

    Raises redis.RedisError.
    """
    if reporter := _own():
        reporter.report()
        return None
    return taken(Process("web"), without={})[0]


def pause_after(cpu_seconds: float, size_bytes: int) -> float:
    """Return the seconds until the next report, so that reports take little of a core and of Redis's file."""
    wanted = max(SHORTEST_PAUSE_SECONDS, cpu_seconds / CPU_SHARE, size_bytes / BYTES_PER_SECOND)
    return min(wanted, LONGEST_PAUSE_SECONDS)
