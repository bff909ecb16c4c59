"""The time of a GPU is shared out among the spans that held it, as a naive model does, however they arrive."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import pytest
import redis
from clickhouse_connect.driver import Client
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from axonize.clickhouse.deletion import delete_traces
from ingest import gpu_time
from ingest.gpu_time import share_out_all
from ingest.gpu_time_schedule import GPU_TIME, keep_up
from ingest.summary_schedule import SUMMARIES
from tests.conftest import Ingest
from tests.otlp import gpu, request, span

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
ShareOut = Callable[[], None]


@dataclass(frozen=True)
class Held:
    """A span that held a resource, in nanoseconds after some minute; `sent` is whether it said what it cost."""

    resource: str
    trace: int
    start_ns: int
    duration_ns: int
    sent: bool = False

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.duration_ns


moments = st.one_of(st.integers(0, 200).map(lambda s: s * SECOND_NS), st.integers(0, 200 * SECOND_NS))
durations = st.one_of(st.just(0), st.just(MINUTE_NS), st.integers(0, 5 * SECOND_NS), st.integers(0, 150 * SECOND_NS))
held_spans = st.lists(
    st.builds(Held, st.sampled_from("ab"), st.integers(0, 2), moments, durations, st.booleans()),
    min_size=1,
    max_size=12,
)


def naive(spans: Iterable[Held]) -> dict[tuple[str, int, bool], float]:
    """Return what each trace has of each resource, of the spans that sent a cost and of those that did not."""
    parts: dict[tuple[str, int, bool], float] = defaultdict(float)
    spans = list(spans)
    moments = sorted({moment for held in spans for moment in (held.start_ns, held.end_ns)})
    for begin, end in pairwise(moments):
        for resource in {held.resource for held in spans}:
            holders = [h for h in spans if h.resource == resource and h.start_ns <= begin and h.end_ns >= end]
            for holder in holders:
                parts[resource, holder.trace, holder.sent] += (end - begin) / len(holders)
    return parts


class Fleet:
    """Resources of its own in a stretch of time, with what was sent of them."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._mark = os.urandom(4).hex()
        self.begin_ns = (time.time_ns() // MINUTE_NS - 60) * MINUTE_NS
        self.trace_ids = [os.urandom(16) for _ in range(3)]

    def uuid(self, resource: str) -> str:
        return f"GPU-{self._mark}-{resource}"

    def send(self, *spans: Held) -> None:
        self._ingest(
            request(
                *(
                    span(
                        trace_id=self.trace_ids[held.trace],
                        start_ns=self.begin_ns + held.start_ns,
                        duration_ns=held.duration_ns,
                        attributes=gpu(resource_uuid=self.uuid(held.resource))
                        | ({"cost.usd": 0.5} if held.sent else {}),
                    )
                    for held in spans
                )
            )
        )

    def shared_out(self, clickhouse: Client) -> dict[str, float]:
        """Return how long each resource was held, by all together."""
        rows = clickhouse.query("SELECT resource_uuid, sum(held_ns) FROM gpu_time FINAL GROUP BY 1").result_rows
        return {uuid.removeprefix(f"GPU-{self._mark}-"): held for uuid, held in rows if self._mark in uuid}

    def of_traces(self, clickhouse: Client) -> dict[tuple[str, int], int]:
        """Return, of each resource, what each trace has in its summary."""
        rows = clickhouse.query(
            """
            SELECT hex(trace_id), gpu_times.resource_uuid, gpu_times.held_ns
            FROM trace_summaries FINAL
            ARRAY JOIN gpu_times
            WHERE weight > 0 AND superseded_at = 0
            """
        ).result_rows
        number = {trace_id.hex().upper(): at for at, trace_id in enumerate(self.trace_ids)}
        return {(uuid[-1], number[trace_id]): held for trace_id, uuid, held in rows if trace_id in number}


@pytest.fixture
def fleet(ingest: Ingest) -> Fleet:
    return Fleet(ingest)


def assert_shared_out(fleet: Fleet, clickhouse: Client, spans: Iterable[Held]) -> None:
    """Assert what the naive model says: of each trace, and that the parts are all the time that a resource was held."""
    parts = naive(spans)
    whole: dict[str, float] = defaultdict(float)
    of_traces: dict[tuple[str, int], float] = defaultdict(float)
    for (resource, trace, sent), part in parts.items():
        whole[resource] += part
        of_traces[resource, trace] += 0 if sent else part
    held = fleet.shared_out(clickhouse)
    assert {resource: round(ns) for resource, ns in held.items() if round(ns)} == pytest.approx(whole, abs=100)
    found = fleet.of_traces(clickhouse)
    for key in of_traces.keys() | found.keys():
        assert found.get(key, 0) == pytest.approx(of_traces.get(key, 0), abs=100), key


@pytest.mark.parametrize("sent_at_once", [True, False])
def test_spans_at_the_same_time_have_equal_parts(
    fleet: Fleet, clickhouse: Client, share_out: ShareOut, sent_at_once: bool
) -> None:
    alone, first, second = (
        Held("a", 0, 0, 10 * SECOND_NS),
        Held("a", 1, 20 * SECOND_NS, 10 * SECOND_NS),
        Held("a", 2, 20 * SECOND_NS, 10 * SECOND_NS),
    )
    if sent_at_once:
        fleet.send(alone, first, second)
    else:
        for one in (alone, first, second):
            fleet.send(one)
            share_out()
    if sent_at_once:
        share_out()
    assert fleet.of_traces(clickhouse) == {
        ("a", 0): 10 * SECOND_NS,
        ("a", 1): 5 * SECOND_NS,
        ("a", 2): 5 * SECOND_NS,
    }


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans=held_spans, cut=st.integers(0, 12))
def test_the_parts_are_those_of_a_naive_model_and_nothing_of_the_time_is_lost_or_counted_twice(
    ingest: Ingest, clickhouse: Client, share_out: ShareOut, spans: list[Held], cut: int
) -> None:
    fleet = Fleet(ingest)
    if spans[:cut]:
        fleet.send(*spans[:cut])
        share_out()
    if spans[cut:]:
        fleet.send(*spans[cut:])
        share_out()
    assert_shared_out(fleet, clickhouse, spans)


def test_what_a_deleted_trace_had_falls_to_those_that_stay(
    fleet: Fleet, clickhouse: Client, share_out: ShareOut
) -> None:
    stays, goes = Held("a", 0, 0, 10 * SECOND_NS), Held("a", 1, 0, 20 * SECOND_NS)
    fleet.send(stays, goes)
    share_out()
    delete_traces(tenant="default", trace_ids=[fleet.trace_ids[1].hex()])
    fleet.send(Held("b", 2, 0, SECOND_NS))  # the next batch, whatever is in it
    share_out()
    assert_shared_out(fleet, clickhouse, [stays, Held("b", 2, 0, SECOND_NS)])


def test_a_span_of_hours_is_shared_out_in_every_minute(fleet: Fleet, clickhouse: Client, share_out: ShareOut) -> None:
    fleet.begin_ns -= 3 * 60 * MINUTE_NS
    long, short = Held("a", 0, 0, 100 * MINUTE_NS), Held("a", 1, 50 * MINUTE_NS, 2 * MINUTE_NS)
    fleet.send(long)
    share_out()
    fleet.send(short)
    share_out()
    assert_shared_out(fleet, clickhouse, [long, short])


def test_a_redis_that_begins_anew_has_all_minutes_shared_out(
    fleet: Fleet, clickhouse: Client, queue: redis.Redis, share_out: ShareOut
) -> None:
    spans = [Held("a", 0, 0, 100 * SECOND_NS), Held("b", 1, 0, SECOND_NS), Held("b", 2, 0, SECOND_NS)]
    fleet.send(*spans)
    clickhouse.command("TRUNCATE TABLE gpu_time_changes")
    queue.delete(GPU_TIME.begun)
    share_out()
    assert_shared_out(fleet, clickhouse, spans)
    clickhouse.command("TRUNCATE TABLE gpu_time")
    assert list(share_out_all())[-1] == 1


def test_a_batch_is_shared_out_once_and_not_before_the_rest_is_over(fleet: Fleet, queue: redis.Redis) -> None:
    fleet.send(Held("a", 0, 0, SECOND_NS))
    assert keep_up(queue)
    assert queue.zcard(SUMMARIES.due) == 1, "its traces are to be summarized"
    fleet.send(Held("a", 0, 0, SECOND_NS))
    assert not keep_up(queue)
    queue.delete(GPU_TIME.resting)
    assert keep_up(queue)
    queue.delete(GPU_TIME.resting)
    assert not keep_up(queue)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([], []),
        ([(7, 99)], [(7, 7)]),
        ([(1, 5), (2, 5), (4, 3), (60, 1), (61, 1)], [(1, 2), (4, 61)]),
        ([(0, 1), (59, 1), (60, 1)], [(0, 59), (60, 60)]),
    ],
)
def test_minutes_are_taken_together_while_they_are_few_and_light(
    minutes: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    assert list(gpu_time.stretches(minutes, most=10)) == expected
