"""How long after it was sent a span is in the API's answers: some traces are asked for until they are there."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bench.chaos.stack import Stack
from bench.ingest.generator import Generator

ASK_EVERY_SECONDS, FLOOD_ASK_EVERY_SECONDS = 0.1, 1.0
"""An answer takes CPU, of which a flood leaves none."""
GIVEN_UP_SECONDS = 60.0


@dataclass
class Seen:
    """When the request of a trace was sent, and the seconds until `GET /traces/{trace_id}` answered."""

    sent: list[tuple[float, float]] = field(default_factory=list)


@contextmanager
def watched(stack: Stack, generator: Generator, *, every_seconds: float) -> Iterator[Seen]:
    """Ask, every so often, for one trace after the other of those that the generator names, while the context lasts."""
    seen = Seen()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if not generator.told.poll(every_seconds):
                continue
            while generator.told.poll(0):  # the newest one: what came while another was asked for is old
                trace_id, sent_s = generator.told.recv()
            while not ended.is_set() and time.monotonic() - sent_s < GIVEN_UP_SECONDS:
                if _is_there(stack, trace_id):
                    seen.sent.append((sent_s, time.monotonic() - sent_s))
                    break
                ended.wait(every_seconds)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def visible_spans(stack: Stack, since: datetime) -> int:
    """Return how many spans the API's overview tells of since then. Raises OSError."""
    until = datetime.now(UTC) + timedelta(minutes=1)
    answer = stack.get("/api/v1/analytics/overview", start=since.isoformat(), end=until.isoformat())
    return int(answer["total_spans"])


def _is_there(stack: Stack, trace_id: str) -> bool:
    with suppress(OSError):  # 404 among them
        stack.get_bytes(f"/api/v1/traces/{trace_id}")
        return True
    return False
