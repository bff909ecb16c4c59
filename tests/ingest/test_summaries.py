"""trace_summaries: one row a trace, however its spans arrive and whatever befalls the runs that write it."""

import os
import threading
import time
from dataclasses import replace

import pytest
import redis
from clickhouse_connect.driver import Client
from django.core.management import call_command

from ingest import summaries, summary_schedule
from ingest.summary_schedule import SUMMARIES
from tests.conftest import Ingest
from tests.otlp import request, span

HOUR_MS = 3_600_000


def counted(clickhouse: Client) -> list[tuple[int, int]]:
    """Return what readers count: for each trace its rows' sum and its spans, the traces by their number of spans."""
    return [
        (int(weight), int(spans))
        for weight, spans in clickhouse.query(
            """
            SELECT sum(weight), sum(span_count * weight)
            FROM trace_summaries
            WHERE superseded_at = 0
            GROUP BY trace_id
            HAVING sum(weight) != 0
            ORDER BY 2
            """
        ).result_rows
    ]


def read(clickhouse: Client) -> list[tuple[int, int]]:
    rows = clickhouse.query(
        "SELECT weight, span_count FROM trace_summaries FINAL WHERE weight > 0 AND superseded_at = 0 ORDER BY 2"
    ).result_rows
    return [(int(weight), int(spans)) for weight, spans in rows]


@pytest.fixture
def trace_ids() -> list[bytes]:
    return [os.urandom(16) for _ in range(3)]


def test_a_trace_that_grew_has_one_row_that_counts(clickhouse: Client, ingest: Ingest, trace_ids: list[bytes]) -> None:
    for number in range(1, 4):
        ingest(request(*(span(trace_id=trace_id) for trace_id in trace_ids[:number])))
        assert sum(spans for _, spans in counted(clickhouse)) == number * (number + 1) / 2
    assert counted(clickhouse) == read(clickhouse) == [(1, 1), (1, 2), (1, 3)]
    clickhouse.command("OPTIMIZE TABLE trace_summaries FINAL")
    assert counted(clickhouse) == read(clickhouse) == [(1, 1), (1, 2), (1, 3)]


def test_two_runs_at_once_do_no_lasting_harm(clickhouse: Client, ingest: Ingest, trace_ids: list[bytes]) -> None:
    ingest(request(*(span(trace_id=trace_id) for trace_id in trace_ids)))
    clickhouse.command("TRUNCATE TABLE trace_summaries")
    together = threading.Barrier(4)

    def run() -> None:
        together.wait(10)
        summaries.summarize_changes(of_last_ms=HOUR_MS)

    runs = [threading.Thread(target=run) for _ in range(4)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join(30)
    summaries.summarize_changes(of_last_ms=HOUR_MS)
    assert counted(clickhouse) == [(1, 1)] * 3
    clickhouse.command("OPTIMIZE TABLE trace_summaries FINAL")
    assert counted(clickhouse) == read(clickhouse) == [(1, 1)] * 3


def test_rows_that_nobody_can_explain_are_put_right(clickhouse: Client, ingest: Ingest, trace_ids: list[bytes]) -> None:
    ingest(request(*(span(trace_id=trace_id) for trace_id in trace_ids)))
    clickhouse.command("INSERT INTO trace_summaries SELECT * REPLACE (version + 1 AS version) FROM trace_summaries")
    assert counted(clickhouse) == [(2, 2)] * 3
    list(summaries.summarize_all())
    assert counted(clickhouse) == read(clickhouse) == [(1, 1)] * 3


def test_more_changes_than_one_run_takes_are_all_looked_at(
    clickhouse: Client, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        ingest(request(*(span() for _ in range(4))))
    clickhouse.command("TRUNCATE TABLE trace_summaries")
    monkeypatch.setattr(summaries, "MOST_TRACES_AT_ONCE", 3)
    summaries.summarize_changes(of_last_ms=HOUR_MS)
    assert counted(clickhouse) == [(1, 1)] * 20


def test_what_is_due_stays_due_while_clickhouse_is_away_and_is_summarized_after(
    clickhouse: Client, queue: redis.Redis, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, trace_ids: list[bytes]
) -> None:
    ingest(request(span()))
    with monkeypatch.context() as patched:
        patched.setattr(summary_schedule, "summarize_changes", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ingest(request(*(span(trace_id=trace_id) for trace_id in trace_ids)))
    assert queue.zcard(SUMMARIES.due) == 1
    assert len(counted(clickhouse)) == 1
    assert SUMMARIES.keep_up(queue)
    assert len(counted(clickhouse)) == 4
    assert queue.zcard(SUMMARIES.due) == 0


def test_a_redis_that_begins_anew_has_all_traces_looked_at(
    clickhouse: Client, queue: redis.Redis, ingest: Ingest
) -> None:
    ingest(request(span(), span()))
    clickhouse.command("TRUNCATE TABLE trace_summaries")
    queue.delete(SUMMARIES.resting)
    assert not SUMMARIES.keep_up(queue)
    queue.delete(SUMMARIES.begun)
    assert SUMMARIES.keep_up(queue)
    assert counted(clickhouse) == [(1, 1)] * 2


def test_what_is_due_for_longer_than_changes_are_kept_has_all_traces_looked_at(
    clickhouse: Client, queue: redis.Redis, ingest: Ingest
) -> None:
    ingest(request(span(), span()))
    clickhouse.command("TRUNCATE TABLE trace_summaries")
    clickhouse.command("TRUNCATE TABLE trace_changes")
    seconds, _ = queue.time()
    queue.zadd(SUMMARIES.due, {"batch": seconds * 1000 - 3 * HOUR_MS})
    queue.delete(SUMMARIES.resting)
    assert SUMMARIES.keep_up(queue)
    assert counted(clickhouse) == [(1, 1)] * 2


def test_after_a_run_the_next_one_rests_first(clickhouse: Client, queue: redis.Redis, ingest: Ingest) -> None:  # noqa: ARG001  emptied
    ingest(request(span()))
    with SUMMARIES.written(queue, "a batch"):
        pass
    assert not SUMMARIES.keep_up(queue)
    queue.delete(SUMMARIES.resting)
    assert SUMMARIES.keep_up(queue)


def test_however_long_a_run_took_lists_wait_no_longer_for_the_next(
    queue: redis.Redis, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SUMMARIES, "rest", replace(SUMMARIES.rest, factor=1_000_000))
    ingest(request(span()))
    assert 0 < queue.pttl(SUMMARIES.resting) <= 500


def test_one_worker_at_a_time_summarizes(queue: redis.Redis, clickhouse: Client) -> None:  # noqa: ARG001  emptied
    with queue.lock(SUMMARIES.lock, timeout=10):
        assert not SUMMARIES.keep_up(queue)
    assert SUMMARIES.keep_up(queue)


def test_the_command_summarizes_what_came_another_way(
    clickhouse: Client, ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(request(span(start_ns=time.time_ns() - 20 * 86_400 * 10**9)))
    clickhouse.command("TRUNCATE TABLE trace_summaries")
    call_command("summarize_traces")
    assert "up to date" in capsys.readouterr().out
    assert counted(clickhouse) == [(1, 1)]
