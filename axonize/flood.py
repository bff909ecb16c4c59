"""Lines that any client can cause as fast as it sends: one a second of each kind, lest a flood fills a disk."""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Final

EVERY_SECONDS: Final = 1.0


class OncePerSecond:
    """Tells which of many alike lines to write.

    Args:
        clock: monotonic seconds.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[Hashable, tuple[float, int]] = {}  # from when on one may be written, how many were not

    def left_out(self, kind: Hashable) -> int | None:
        """Return how many of a kind were left out since the last that was written, None where this one is too.

        There must be a bounded number of kinds.
        """
        now_s = self._clock()
        with self._lock:
            next_s, count = self._kinds.get(kind, (0.0, 0))
            if now_s < next_s:
                self._kinds[kind] = (next_s, count + 1)
                return None
            self._kinds[kind] = (now_s + EVERY_SECONDS, 0)
            return count


class LibraryFlood(logging.Filter):
    """Bounds what libraries say of a client's request, by the place in their code that says it.

    What they say of themselves, as that they start, is at INFO, and passes: gunicorn says all of it in one place.
    """

    LIBRARIES: Final = ("django.security", "gunicorn.", "uvicorn.", "grpc.", "asyncio")

    def __init__(self) -> None:
        super().__init__()
        self._lines = OncePerSecond()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno == logging.INFO or not record.name.startswith(self.LIBRARIES):
            return True
        return self._lines.left_out((record.pathname, record.lineno)) is not None
