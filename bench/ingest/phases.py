"""One load after the other on a running stack: sent, acknowledged, stored, visible, and what all of it took."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.chaos import queued
from bench.chaos.stack import Stack, wait
from bench.ingest import usage
from bench.ingest.generator import Generator, Load, Sent, generating
from bench.ingest.visibility import ASK_EVERY_SECONDS, FLOOD_ASK_EVERY_SECONDS, visible_spans, watched

MOST_SEALED = 6
"""How many sealed batches may wait before the generator holds back, where the load is as much as is stored."""
LOOK_SECONDS = 0.1
DRAIN_SECONDS, VISIBLE_SECONDS, QUIET_SECONDS = 600.0, 120.0, 300.0
LATEST = timedelta(seconds=10)
"""How long before it is sent a span began at most, with some room."""


@dataclass(frozen=True)
class Phase:
    """A load, for so many seconds after so many that don't count."""

    name: str
    load: Load
    seconds: float
    warm_up_seconds: float = 5.0
    is_held_back: bool = True
    """Whether the generator waits for what is stored, so that as much is sent as is stored."""


@dataclass(frozen=True)
class Result:
    """What a phase showed. Times in seconds, `window_seconds` those that count."""

    phase: Phase
    window_seconds: float
    acknowledged_spans: int
    stored_spans: int
    refused_requests: int
    refusals: Mapping[str, int]
    acknowledge_seconds: Sequence[float]
    visible_seconds: Sequence[float]
    cpu_seconds: Mapping[str, float]
    """By part, in the window."""
    cpu_seconds_until_quiet: float
    """Of all parts, from the first request until no merge ran any more."""
    spans_until_quiet: int
    generator_cpu_seconds: float
    drain_seconds: float
    """From the last request until the API told of every span."""
    most_parts: int
    most_sealed_batches: int
    merges: int
    merged_rows_a_span: float


@dataclass
class _Watched:
    most_parts: int = 0
    most_sealed_batches: int = 0


def run(stack: Stack, port: Mapping[str, int], phase: Phase, *, stored_before: int) -> Result:
    """Run a phase, and wait until all of it is visible and merged.

    Args:
        stack: nobody else sends to it.
        port: of each transport.
        phase: what to do.
        stored_before: how many spans are stored.

    Raises:
        RuntimeError: a part died, or not all that was acknowledged became visible in time.

    """
    began = datetime.now(UTC) - LATEST
    first = usage.mark(stack)
    ask_every_seconds = FLOOD_ASK_EVERY_SECONDS if phase.is_held_back else ASK_EVERY_SECONDS
    with (
        generating(port[phase.load.transport], phase.load) as generator,
        watched(stack, generator, every_seconds=ask_every_seconds) as seen,
        _held_back(stack, generator, phase) as most,
    ):
        time.sleep(phase.warm_up_seconds)
        window_from_s, before, stored_from = time.monotonic(), usage.mark(stack), _stored(stack)
        generator_from = sum(generator.process.cpu_times()[:2])
        time.sleep(phase.seconds)
        window_until_s, after, stored_until = time.monotonic(), usage.mark(stack), _stored(stack)
        generator_cpu_seconds = sum(generator.process.cpu_times()[:2]) - generator_from
    ended_s = time.monotonic()
    sent = generator.sent or Sent(0)
    spans = len(sent.acknowledged) * sent.spans_a_request
    if not wait(lambda: _stored(stack) >= stored_before + spans and queued.is_empty(stack), DRAIN_SECONDS):
        raise RuntimeError(f"Stored are {_stored(stack) - stored_before:,} of {spans:,} acknowledged spans.")
    if not wait(lambda: visible_spans(stack, began) >= spans, VISIBLE_SECONDS):
        raise RuntimeError(f"The API tells of {visible_spans(stack, began):,} of {spans:,} acknowledged spans.")
    drain_seconds = time.monotonic() - ended_s
    _wait_until_quiet(stack)
    last = usage.mark(stack)
    counted = [pair for pair in sent.acknowledged if window_from_s <= pair[0] < window_until_s]
    refused = [why for at_s, why in sent.refused if window_from_s <= at_s < window_until_s]
    return Result(
        phase,
        window_seconds=window_until_s - window_from_s,
        acknowledged_spans=len(counted) * sent.spans_a_request,
        stored_spans=stored_until - stored_from,
        refused_requests=len(refused),
        refusals={why: refused.count(why) for why in set(refused)},
        acknowledge_seconds=[answered_s - begun_s for begun_s, answered_s in counted],
        visible_seconds=[took_s for at_s, took_s in seen.sent if window_from_s <= at_s < window_until_s],
        cpu_seconds=usage.used(before, after),
        cpu_seconds_until_quiet=sum(usage.used(first, last).values()),
        spans_until_quiet=spans,
        generator_cpu_seconds=generator_cpu_seconds,
        drain_seconds=drain_seconds,
        most_parts=most.most_parts,
        most_sealed_batches=most.most_sealed_batches,
        merges=last.merges - first.merges,
        merged_rows_a_span=(last.merged_rows - first.merged_rows) / max(1, spans),
    )


def lost_and_duplicated(stack: Stack, acknowledged_spans: int) -> tuple[int, int]:
    """Return how many of all acknowledged spans are not stored, and how many are stored again. Raises OSError."""
    [[rows, different]] = stack.ask("SELECT count(), uniqExact(trace_id, span_id) FROM spans")
    return max(0, acknowledged_spans - int(different)), int(rows) - int(different)


def _stored(stack: Stack) -> int:
    return int(stack.ask("SELECT count() FROM spans")[0][0])


def _wait_until_quiet(stack: Stack) -> None:
    """Wait until no merge runs for some moments; merges that take longer than is waited for are not told."""
    quiet = 0

    def is_quiet() -> bool:
        nonlocal quiet
        quiet = 0 if usage.merges_under_way(stack) else quiet + 1
        return quiet > 10

    wait(is_quiet, QUIET_SECONDS, poll_seconds=0.3)


@contextmanager
def _held_back(stack: Stack, generator: Generator, phase: Phase) -> Iterator[_Watched]:
    """Hold the generator while enough waits, where that is wished; note what was most."""
    most = _Watched()
    ended = threading.Event()

    def watch() -> None:
        turn = 0
        while not ended.wait(LOOK_SECONDS):
            sealed = queued.depth(stack).sealed_batches
            most.most_sealed_batches = max(most.most_sealed_batches, sealed)
            if phase.is_held_back and sealed >= MOST_SEALED:
                generator.held.set()
            else:
                generator.held.clear()
            turn += 1
            if turn % 20 == 0:
                most.most_parts = max(most.most_parts, usage.most_parts(stack))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()
        generator.held.clear()
