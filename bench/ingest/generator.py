"""A process that sends requests, as many at a time as told, at a steady rate or as fast as they are answered."""

import multiprocessing
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event

import psutil  # type: ignore[import-untyped]  # it ships no types

from bench.ingest.mixes import TEMPLATES, compressed, templates
from bench.ingest.wire import CONNECTIONS
from bench.template import Template

START_SECONDS, JOIN_SECONDS = 60.0, 60.0
REFUSED_REST_SECONDS, HELD_SECONDS = 0.1, 0.01
TOLD_EVERY_SECONDS = 0.5
"""How often a trace is named to whoever waits to see one."""


@dataclass(frozen=True)
class Load:
    """What is sent."""

    mix: str
    transport: str
    in_flight: int
    gzip: bool = False
    rate: float | None = None
    """Requests a second; None for as many as are answered."""
    gzip_requests: int = 0
    """How many requests are compressed beforehand; none is sent twice."""
    seed: int = 1


@dataclass
class Sent:
    """What became of the requests; times in seconds as time.monotonic() has them, which all processes share."""

    spans_a_request: int
    acknowledged: list[tuple[float, float]] = field(default_factory=list)
    """When each was due or sent, and when it was answered."""
    refused: list[tuple[float, str]] = field(default_factory=list)


@dataclass
class Generator:
    """A running generator; `sent` is there once it has ended."""

    held: Event
    """While it is set, nothing is sent."""
    told: Pipe
    """Where it names some of its traces: id in hex, and when its request was answered."""
    process: psutil.Process
    sent: Sent | None = None


@contextmanager
def generating(port: int, load: Load) -> Iterator[Generator]:
    """Send to a receiver's port for as long as the context lasts. Raises RuntimeError where it does not start."""
    context = multiprocessing.get_context("spawn")
    stop, held = context.Event(), context.Event()
    receiving, sending = context.Pipe(duplex=False)
    told, telling = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(port, load, stop, held, sending, telling), daemon=True)
    process.start()
    try:
        if not receiving.poll(START_SECONDS + load.gzip_requests / 20) or receiving.recv() != "ready":
            raise RuntimeError("The generator did not start.")
        generator = Generator(held, told, psutil.Process(process.pid))
        yield generator
        stop.set()
        if not receiving.poll(JOIN_SECONDS):
            raise RuntimeError("The generator did not end.")
        generator.sent = receiving.recv()
    finally:
        stop.set()
        process.join(JOIN_SECONDS)


def _send(port: int, load: Load, stop: Event, held: Event, results: Pipe, telling: Pipe) -> None:
    """Be the process: make the requests, send them on as many threads as are in flight, tell what became of them."""
    made = [each for number in range(-(-load.in_flight // TEMPLATES)) for each in templates(load.mix, seed=number)]
    senders = _Senders(port, load, made, stop, held, telling)
    results.send("ready")
    senders.run()
    results.send(senders.sent)


class _Senders:
    """The threads of a generator."""

    def __init__(
        self, port: int, load: Load, made: Sequence[Template], stop: Event, held: Event, telling: Pipe
    ) -> None:
        self.sent = Sent(made[0].spans)
        self._port, self._load, self._made = port, load, made
        self._stop, self._held, self._telling = stop, held, telling
        dice = random.Random(load.seed)  # noqa: S311 - no secret
        self._compressed = [
            compressed(bytes(dice.choice(made).fresh(time.time_ns()))) for _ in range(load.gzip_requests)
        ]
        self._guard = threading.Lock()
        self._taken = 0
        self._started_s = self._told_s = 0.0

    def run(self) -> None:
        """Send until told to stop."""
        self._started_s = self._told_s = time.monotonic()
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(self._load.in_flight)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, number: int) -> None:
        # of its own, for a template is one buffer
        own = cycle(self._made[number :: self._load.in_flight])
        with closing(CONNECTIONS[self._load.transport](self._port)) as connection:
            while not self._stop.is_set():
                due_s = self._turn()
                if due_s is None:
                    return
                template = next(own)
                body = self._next_compressed() if self._load.gzip else template.fresh(time.time_ns())
                if body is None:
                    return
                begun_s = due_s or time.monotonic()
                refusal = connection.export(body, gzip=self._load.gzip)
                if refusal:
                    self.sent.refused.append((begun_s, refusal))
                    self._stop.wait(REFUSED_REST_SECONDS)
                else:
                    self._note(begun_s, template)

    def _turn(self) -> float | None:
        """Wait until it is time for the next request; return when it is due, 0 for at once, None when told to stop."""
        with self._guard:
            due_s = self._started_s + self._taken / self._load.rate if self._load.rate else 0.0
            self._taken += 1
        if due_s and self._stop.wait(max(0.0, due_s - time.monotonic())):
            return None
        while self._held.is_set():
            if self._stop.wait(HELD_SECONDS):
                return None
        return due_s

    def _next_compressed(self) -> bytes | None:
        with self._guard:
            return self._compressed.pop() if self._compressed else None

    def _note(self, begun_s: float, template: Template) -> None:
        answered_s = time.monotonic()
        self.sent.acknowledged.append((begun_s, answered_s))
        if answered_s - self._told_s > TOLD_EVERY_SECONDS and not self._load.gzip:
            self._told_s = answered_s
            with self._guard:
                self._telling.send((template.first_trace_id, begun_s))
