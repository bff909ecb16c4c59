"""`make soak`: an hour of 20,000 spans a second, then more than is stored for a while: what grows, and what comes back.

Exits with 1 when memory or the queue grew over the hour, when a span is lost or twice there, or when what was too much
left a mark.
"""

import argparse
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

from bench.chaos import queued
from bench.chaos.ports import free_ports
from bench.chaos.stack import Stack, running
from bench.ingest import report, usage
from bench.ingest.generator import Load
from bench.ingest.phases import Phase, Result, lost_and_duplicated, run
from bench.query.report import machine, quantile
from bench.query.requests import SPANS_A_REQUEST

SAMPLES = 60
"""How often memory, parts and queue are noted in a phase."""
QUEUE_MAX_BYTES = 64 * 1024 * 1024
"""Little, so that it is full soon."""
MOST_GROWTH = 1.3
"""Of memory and parts, from the second quarter of the time to the last: in the first one caches fill."""
MOST_SEALED, MOST_VISIBLE_SECONDS = 10, 5.0
OVERLOAD_SECONDS, AFTER_SECONDS = 60.0, 30.0


@dataclass(frozen=True)
class Sample:
    """What was there at a moment."""

    memory_mib: Mapping[str, int]
    parts: int
    sealed_batches: int


def main() -> int:
    options = arguments()
    try:
        return measure(options)
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1


def measure(options: argparse.Namespace) -> int:
    """Run, print, and return the exit code. Raises OSError, RuntimeError."""
    ports = free_ports()
    transports = {"grpc": ports["AXONIZE_OTLP_GRPC_PORT"]}
    for name, text in machine().items():
        say(f"{name}: {text}")
    steady = Load("sdk", "grpc", 4, rate=options.rate / SPANS_A_REQUEST)
    phases = [
        Phase("soak", steady, options.minutes * 60, is_held_back=False),
        Phase("too much", Load("sdk", "grpc", 64), OVERLOAD_SECONDS, is_held_back=False),
        Phase("afterwards", steady, AFTER_SECONDS, is_held_back=False),
    ]
    found: list[str] = []
    stored = 0
    with running(ports, AXONIZE_QUEUE_MAX_BYTES=str(QUEUE_MAX_BYTES)) as stack:
        for phase in phases:
            with sampled(stack, every_seconds=phase.seconds / SAMPLES) as samples:
                result = run(stack, transports, phase, stored_before=stored)
            stored += result.spans_until_quiet
            for line in (*report.lines(result), *described(samples)):
                say(line)
            found += [f"{phase.name}: {problem}" for problem in problems(result, samples)]
        lost, duplicated = lost_and_duplicated(stack, stored)
        say(f"{stored:,} spans acknowledged, {lost} lost, {duplicated} duplicated")
    if lost or duplicated:
        found.append(f"{lost} spans are lost, {duplicated} duplicated")
    print("", *found, sep="\n")
    return 1 if found else 0


@contextmanager
def sampled(stack: Stack, *, every_seconds: float) -> Iterator[list[Sample]]:
    """Note what is there, again and again, while the context lasts."""
    samples: list[Sample] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(every_seconds):
            samples.append(Sample(usage.memory_mib(stack), usage.most_parts(stack), queued.depth(stack).sealed_batches))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def described(samples: Sequence[Sample]) -> Iterator[str]:
    """Describe the course of a phase by its quarters."""
    for at, quarter in enumerate(quarters(samples), start=1):
        memory = ", ".join(f"{part} {middle(quarter, part):,}" for part in usage.SERVERS)
        parts, sealed = (median(each) for each in zip(*((s.parts, s.sealed_batches) for s in quarter), strict=True))
        yield f"    quarter {at}: MiB {memory}; {parts:.0f} parts a partition, {sealed:.0f} sealed batches"


def problems(result: Result, samples: Sequence[Sample]) -> Iterator[str]:
    """Return what must not be."""
    if result.phase.load.rate is None:
        if not result.refused_requests:
            yield "nothing was refused, so it was not too much"
        return
    if result.refused_requests:
        yield f"{result.refused_requests} requests were refused"
    if result.most_sealed_batches > MOST_SEALED:
        yield f"{result.most_sealed_batches} sealed batches waited at once"
    if quantile(result.visible_seconds, 99) > MOST_VISIBLE_SECONDS:
        yield f"p99 of visible is {quantile(result.visible_seconds, 99):.1f} s"
    _, second, _, last = quarters(samples)
    for part in usage.SERVERS:
        if middle(last, part) > MOST_GROWTH * middle(second, part):
            yield f"{part} grew from {middle(second, part):,} to {middle(last, part):,} MiB"
    parts_before, parts_after = (median(sample.parts for sample in quarter) for quarter in (second, last))
    if parts_after > MOST_GROWTH * parts_before:
        yield f"parts of a partition grew from {parts_before:.0f} to {parts_after:.0f}"


def quarters(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    size = max(1, len(samples) // 4)
    return [samples[at * size : (at + 1) * size] or samples[-1:] for at in range(4)]


def middle(samples: Sequence[Sample], part: str) -> int:
    return int(median(sample.memory_mib[part] for sample in samples))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the steady load (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=20_000.0, help="spans a second of it (default: %(default)s)")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
