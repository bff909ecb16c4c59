"""Fixtures on the real engines: emptied stores, and the whole way of a request in one process."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis
from clickhouse_connect.driver import Client
from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_django import Settings

from axonize.clickhouse import migrator
from axonize.clickhouse.client import get_client
from axonize.embedded import engines as embedded
from ingest import gpu_time_schedule, writer
from ingest.gpu_time_schedule import GPU_TIME
from ingest.intake import Verdict, examine
from ingest.queue import OpenBatch, QueueDepth, SealedBatches, connect, connect_async
from ingest.summary_schedule import SUMMARIES
from ingest.tasks import new_batch_id, write_batch
from tests.logs import Log, logged

Ingest = Callable[..., list[Verdict]]
Drain = Callable[[], int]

KEPT_TABLES = frozenset({"schema_migrations"})


@pytest.fixture(scope="session")
def clickhouse_schema(engines: object) -> None:  # noqa: ARG001  it must run
    """ClickHouse, migrated."""
    assert list(migrator.migrate())


@pytest.fixture
def clickhouse(clickhouse_schema: None) -> Client:  # noqa: ARG001  it must have run
    """Return a client on emptied tables."""
    client = get_client()
    empty_tables(client)
    return client


def empty_tables(client: Client) -> None:
    """Delete all that ClickHouse has, but for what tells its migrations."""
    tables = client.query(
        """
        SELECT name FROM system.tables
        WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND total_rows > 0
        """
    )
    names = {name for (name,) in tables.result_rows} - KEPT_TABLES
    for name in names:
        client.command("TRUNCATE TABLE {table:Identifier}", parameters={"table": name})
    if "registry_resources" in names:
        client.command("SYSTEM RELOAD DICTIONARY registry")


@pytest.fixture
def clickhouse_url(clickhouse_schema: None, settings: Settings) -> Iterator[Settings]:  # noqa: ARG001  it must have run
    """Let a test set CLICKHOUSE_URL: no client outlives it."""
    get_client.cache_clear()
    yield settings
    get_client.cache_clear()


@pytest.fixture
def log() -> Iterator[Log]:
    """Yield what is logged meanwhile."""
    with logged() as log:
        yield log


@pytest.fixture
def kept_mapped_spans(clickhouse: Client) -> Iterator[None]:
    """Keep what goes through `mapped_spans`, in a table of this name."""
    clickhouse.command("CREATE TABLE kept_mapped_spans AS mapped_spans ENGINE = MergeTree ORDER BY tuple()")
    clickhouse.command("CREATE MATERIALIZED VIEW keeping TO kept_mapped_spans AS SELECT * FROM mapped_spans")
    yield
    clickhouse.command("DROP VIEW keeping SYNC")
    clickhouse.command("DROP TABLE kept_mapped_spans SYNC")


@pytest.fixture
def queue(engines: object) -> Iterator[redis.Redis]:  # noqa: ARG001  it must run
    """Yield a client on an emptied Redis."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture
def own_redis() -> Iterator[tuple[redis.Redis, str]]:
    """Yield a client of a Redis of this test alone, and its URL."""
    with TemporaryDirectory(prefix="axz-") as directory, embedded.running(Path(directory), 0, only=["redis"]):
        url = f"unix://{directory}/run/redis.sock?db=0"
        client = redis.Redis.from_url(url)
        yield client, url
        client.close()


@pytest.fixture
def ingest(clickhouse: Client, queue: redis.Redis) -> Ingest:  # noqa: ARG001  emptied
    """Send requests the whole way, examined, queued, sealed and written as one batch; returns their verdicts.

    A request is an ExportTraceServiceRequest or its bytes.
    """

    def send(*requests: ExportTraceServiceRequest | bytes, tenant: str = "default") -> list[Verdict]:
        verdicts = [
            examine(
                body if isinstance(body, bytes) else body.SerializeToString(),
                tenant=tenant,
                now_ns=time.time_ns(),
                retention_days=settings.RETENTION_DAYS,
            )
            for body in requests
        ]
        batch_id = new_batch_id()
        if asyncio.run(offer_and_seal(verdicts, batch_id)):
            sealed = SealedBatches(connect())
            frames = sealed.claim(batch_id)
            assert frames is not None
            with GPU_TIME.written(sealed.client, batch_id), SUMMARIES.written(sealed.client, batch_id):
                writer.write(batch_id=batch_id, frames=frames)
            assert sealed.discard(batch_id)
            sealed.client.delete(SUMMARIES.resting)
            assert SUMMARIES.keep_up(sealed.client)
        return verdicts

    return send


@pytest.fixture
def drain(clickhouse: Client, queue: redis.Redis) -> Drain:  # noqa: ARG001  emptied
    """Write all that receivers have put into the queue, as a worker does; returns how many batches it wrote."""

    def write_all() -> int:
        sealed = SealedBatches(connect())
        for receiver in sealed.open_receivers():
            sealed.seal(receiver, batch_id=new_batch_id(), min_age_ms=0)
        batches = [name.decode() for name in queue.zrange("axonize:sealed", 0, -1) if isinstance(name, bytes)]
        for batch_id in batches:
            write_batch(batch_id)
        queue.delete(SUMMARIES.resting)
        SUMMARIES.keep_up(sealed.client)
        assert sealed.depth() == QueueDepth(sealed_batches=0, queued_bytes=0)
        return len(batches)

    return write_all


@pytest.fixture
def share_out(queue: redis.Redis) -> Callable[[], None]:
    """Share the time of GPUs out among all that was written, as a worker does some seconds later."""

    def share_out_and_summarize() -> None:
        queue.delete(GPU_TIME.resting)
        assert gpu_time_schedule.keep_up(queue)
        queue.delete(SUMMARIES.resting)
        assert SUMMARIES.keep_up(queue)

    return share_out_and_summarize


async def offer_and_seal(verdicts: list[Verdict], batch_id: str) -> bool:
    async with connect_async() as client:
        batch = OpenBatch(client, receiver="tests")
        for verdict in verdicts:
            if verdict.frame:
                await batch.offer(
                    frame=verdict.frame,
                    digest=verdict.digest,
                    spans=verdict.accepted_spans,
                    raw_bytes=verdict.raw_bytes,
                    values=verdict.values,
                    batch_id=batch_id,
                )
        return bool(await batch.seal(min_age_ms=0))
