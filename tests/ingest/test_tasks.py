"""What the workers do: write once, wait while ClickHouse is away, rescue what nobody is at work on."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
import redis
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Retry
from clickhouse_connect.driver import Client
from pytest_django.fixtures import Settings

from axonize.celery import app
from axonize.clickhouse import client as clickhouse_client, migrator
from ingest import tasks, writer
from ingest.queue import OpenBatch, SealedBatches, connect, connect_async
from tests.conftest import offer_and_seal
from tests.engines import free_ports
from tests.ingest.test_intake import judge
from tests.ingest.test_queue import offer
from tests.otlp import gpu, request, span
from tests.processes import wait_until

TABLES = ["spans", "traces", "gpu_metrics", "gpu_sightings", "resources"]


@pytest.fixture
def batch_id(clickhouse: Client, queue: redis.Redis) -> str:  # noqa: ARG001  emptied
    """Return a sealed batch of two spans on one GPU."""
    attributes = gpu(0, resource_uuid="MIG-1", physical_uuid="GPU-1", utilization=50.0)
    trace_id = b"\1" * 16
    body = request(*[span(trace_id=trace_id, attributes=attributes) for _ in range(2)]).SerializeToString()
    name = tasks.new_batch_id()
    assert asyncio.run(offer_and_seal([judge(body)], name))
    return name


@pytest.fixture
def clickhouse_away(batch_id: str, settings: Settings) -> Iterator[None]:  # noqa: ARG001  made while it was there
    """Point the process at a port where nobody listens."""
    url, [port] = settings.CLICKHOUSE_URL, free_ports(1)
    settings.CLICKHOUSE_URL = f"http://127.0.0.1:{port}/axonize"
    clickhouse_client.get_client.cache_clear()
    yield
    settings.CLICKHOUSE_URL = url
    clickhouse_client.get_client.cache_clear()


def stored(clickhouse: Client) -> dict[str, int]:
    counts = {table: clickhouse.query(f"SELECT count() FROM {table}").result_rows[0][0] for table in TABLES}  # noqa: S608  our own names
    [[counts["traces.span_count"]]] = clickhouse.query("SELECT sum(span_count) FROM traces").result_rows
    return counts


ONCE = {"spans": 2, "traces": 1, "traces.span_count": 2, "gpu_metrics": 2, "gpu_sightings": 1, "resources": 1}


def test_a_batch_is_written_and_forgotten(clickhouse: Client, batch_id: str) -> None:
    tasks.write_batch(batch_id)
    assert stored(clickhouse) == ONCE
    assert SealedBatches(connect()).claim(batch_id) is None


def test_a_second_task_for_a_written_batch_does_nothing(clickhouse: Client, batch_id: str) -> None:
    tasks.write_batch(batch_id)
    tasks.write_batch(batch_id)
    assert stored(clickhouse) == ONCE


def test_a_batch_that_is_written_again_changes_no_table(clickhouse: Client, batch_id: str) -> None:
    frames = SealedBatches(connect()).claim(batch_id)
    assert frames
    for _ in range(3):
        writer.write(batch_id=batch_id, frames=frames)
    assert stored(clickhouse) == ONCE


def test_a_batch_that_is_written_by_two_at_once_is_stored_once(clickhouse: Client, batch_id: str) -> None:
    frames = SealedBatches(connect()).claim(batch_id)
    assert frames
    together = threading.Barrier(4)

    def write() -> None:
        together.wait(10)
        writer.write(batch_id=batch_id, frames=frames)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join(30)
    assert stored(clickhouse) == ONCE


@pytest.mark.parametrize(
    "missed", ["mapped_spans_to_traces", "mapped_spans_to_spans", "gpu_attributions_to_gpu_metrics"]
)
def test_a_batch_that_reached_only_some_tables_is_completed(clickhouse: Client, batch_id: str, missed: str) -> None:
    frames = SealedBatches(connect()).claim(batch_id)
    assert frames
    newest = [migration for migration in migrator.migrations() if migration.name[5:] == missed][-1]
    clickhouse.command(f"DROP VIEW {missed} SYNC")
    try:
        writer.write(batch_id=batch_id, frames=frames)
        assert stored(clickhouse) != ONCE
    finally:
        clickhouse.command(newest.sql)
    writer.write(batch_id=batch_id, frames=frames)
    assert stored(clickhouse) == ONCE


def test_the_same_spans_in_another_batch_are_other_spans(clickhouse: Client, batch_id: str) -> None:
    frames = SealedBatches(connect()).claim(batch_id)
    assert frames
    writer.write(batch_id=batch_id, frames=frames)
    writer.write(batch_id="another", frames=frames)
    assert stored(clickhouse)["spans"] == 4


@pytest.mark.usefixtures("clickhouse_away")
def test_while_clickhouse_is_away_the_batch_waits_and_the_task_comes_again(batch_id: str) -> None:
    with pytest.raises(Retry):
        tasks.write_batch.apply(args=(batch_id,), throw=True)
    assert SealedBatches(connect()).claim(batch_id)


@pytest.mark.parametrize("retries", range(12))
def test_the_pause_between_tries_grows_up_to_a_bound(retries: int) -> None:
    delay = tasks.retry_delay_seconds(retries, passing=True)
    longest = min(30, 2**retries)
    assert longest / 2 <= delay <= longest


def test_what_a_dead_receiver_left_open_is_sealed_and_handed_out(
    clickhouse: Client, queue: redis.Redis, monkeypatch: pytest.MonkeyPatch, batch_id: str
) -> None:
    tasks.write_batch(batch_id)

    async def leave_open() -> None:
        async with connect_async() as client:
            verdict = judge(request(span()).SerializeToString())
            await OpenBatch(client, "dead").offer(
                frame=verdict.frame,
                digest=verdict.digest,
                spans=1,
                raw_bytes=verdict.raw_bytes,
                values=1,
                batch_id="never",
            )

    asyncio.run(leave_open())
    monkeypatch.setattr(tasks, "ORPHANED_AFTER_MS", 0)
    monkeypatch.setattr("ingest.queue.SEALED_GRACE_MS", 0)
    tasks.rescue_batches()
    assert queue.llen("celery") == 1
    with start_worker(app, pool="solo", perform_ping_check=False):
        wait_until(lambda: stored(clickhouse)["spans"] == 3)


def test_a_young_open_batch_is_left_to_its_receiver(queue: redis.Redis) -> None:
    offer(b"frame", receiver="alive")
    tasks.rescue_batches()
    assert SealedBatches(connect()).open_receivers() == ["alive"]
    assert queue.llen("celery") == 0
