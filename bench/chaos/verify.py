"""After a trial: what was acknowledged against what is stored, in every table and through the REST API."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

from bench.chaos import numbered, queued
from bench.chaos.senders import grpc_attempts
from bench.chaos.stack import Stack, wait

SAMPLED_TRACES = 10
SERVICE = "chaos"


@dataclass(frozen=True)
class Verdict:
    """What is stored of a trial's spans."""

    stored: int
    lost: int
    """Acknowledged, and not there."""
    duplicated: int
    """There more than once."""
    disagreements: list[str]
    """Where another table or the API tells something else than what was acknowledged."""

    @property
    def kept(self) -> bool:
        return not (self.lost or self.duplicated or self.disagreements)


def verify(stack: Stack, acknowledged: set[int], *, seed: int) -> Verdict:
    """Compare. Raises OSError when an engine does not answer."""
    spans = counts(stack, "reinterpretAsUInt64(reverse(span_id)) - 1", "count()", "spans", acknowledged)
    lost = acknowledged - spans.keys()
    duplicated = {number for number, count in spans.items() if count > 1}
    disagreements = [*other_tables(stack, acknowledged), *answers(stack, acknowledged, seed)]
    disagreements += [
        f"{name}: spans {ranges(which)}" for name, which in (("lost", lost), ("twice", duplicated)) if which
    ]
    return Verdict(stored=len(spans), lost=len(lost), duplicated=len(duplicated), disagreements=disagreements)


def ranges(numbers: set[int]) -> str:
    """Write numbers down in short: neighbours as one range.

    >>> ranges({1, 2, 3, 7})
    '1-3, 7-7'
    """
    firsts = sorted(number for number in numbers if number - 1 not in numbers)
    lasts = sorted(number for number in numbers if number + 1 not in numbers)
    return ", ".join(f"{first}-{last}" for first, last in zip(firsts, lasts, strict=True))


def stored_spans(stack: Stack, acknowledged: set[int]) -> int:
    """Return how many different spans of a trial are visible. Raises OSError."""
    number = "reinterpretAsUInt64(reverse(span_id)) - 1"
    low, high = min(acknowledged), max(acknowledged)
    [[count]] = stack.ask(f"SELECT uniqExact(span_id) FROM spans WHERE {number} BETWEEN {low} AND {high}")  # noqa: S608 - our own
    return int(count)


def counts(stack: Stack, key: str, value: str, table: str, numbers: set[int]) -> dict[int, int]:
    """Return `value` by `key`, both SQL, for the rows of a trial; `numbers` are in the key's own terms."""
    low, high = min(numbers), max(numbers)
    rows = stack.ask(f"SELECT {key} AS key, {value} FROM {table} GROUP BY key HAVING key BETWEEN {low} AND {high}")  # noqa: S608 - our own
    return {int(number): int(count) for number, count in rows}


def other_tables(stack: Stack, acknowledged: set[int]) -> Iterator[str]:
    trace = "reinterpretAsUInt64(reverse(substring(trace_id, 9)))"
    spans = Counter(numbered.trace_number(number) for number in acknowledged)
    errors = Counter(numbered.trace_number(number) for number in acknowledged if numbered.is_error(number))
    for table, value, expected in (
        ("traces", "sum(span_count)", spans),
        ("traces", "sum(error_count)", errors),
        ("gpu_metrics", "count()", spans),
    ):
        found = counts(stack, trace, value, table, set(spans))
        wrong = [number for number in spans.keys() | found.keys() if found.get(number, 0) != expected[number]]
        if wrong:
            first = min(wrong)
            yield (
                f"{value} of {table} differs for {len(wrong)} traces, "
                f"the first is {numbered.trace_id(first * numbered.SPANS_A_TRACE).hex()}: "
                f"{found.get(first, 0)} instead of {expected[first]}"
            )


def answers(stack: Stack, acknowledged: set[int], seed: int) -> Iterator[str]:
    """Ask the REST API for some traces, whole."""
    spans = Counter(numbered.trace_number(number) for number in acknowledged)
    dice = random.Random(seed)  # noqa: S311 - no secret
    for number in dice.sample(sorted(spans), min(SAMPLED_TRACES, len(spans))):
        first = number * numbered.SPANS_A_TRACE
        expected = {n for n in range(first, first + numbered.SPANS_A_TRACE) if n in acknowledged}
        trace_id = numbered.trace_id(first).hex()
        try:
            trace = stack.get(f"/api/v1/traces/{trace_id}")
        except HTTPError as error:
            yield f"the API answers {error.code} for trace {trace_id}"
            continue
        found = sorted(flattened(trace["spans"]))
        if found != sorted(numbered.span_id(n).hex() for n in expected) or trace["span_count"] != len(expected):
            yield f"the API's trace {trace_id} has {len(found)} spans instead of {len(expected)}"


def flattened(spans: list[dict[str, Any]]) -> Iterator[str]:
    for span in spans:
        yield span["span_id"]
        yield from flattened(span["children"])


def settled(stack: Stack, acknowledged: set[int], seconds: float) -> bool:
    """Wait until all that was acknowledged is visible and the queue is empty; tell whether that came in time."""
    return wait(
        lambda: queued.is_empty(stack) and stored_spans(stack, acknowledged) >= len(acknowledged),
        seconds,
        poll_seconds=0.5,
    )


def alive(stack: Stack, spans: range, seconds: float) -> list[str]:
    """Send a span of a GPU that nobody has seen, and wait until the registry's API tells of it.

    That takes every part: receiver, Redis, worker, ClickHouse, the beat that has the registry synced, PostgreSQL, web.
    Returns what is not back.
    """
    prefix = f"GPU-after-{spans.start}"
    body = numbered.request(spans.start, len(spans), gpu_prefix=prefix)
    with grpc_attempts(stack.grpc_port) as attempt:
        if not wait(lambda: attempt(body).taken, seconds):
            return ["receiver", *stack.missing()]
    gpu = f"{prefix}-{spans.start % numbered.GPUS}"
    if not wait(lambda: stack.get(f"/api/v1/gpus/{gpu}"), seconds, poll_seconds=0.5):
        return ["the way from a span to the registry", *stack.missing()]
    wait(lambda: not stack.missing(), seconds)
    return stack.missing()
