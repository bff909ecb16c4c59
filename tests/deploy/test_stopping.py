"""A part that Compose stops finishes what it has in its hands; its stop period is for that."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import redis
from clickhouse_connect.driver import Client
from django.conf import settings

from bench.chaos import numbered
from ingest.intake import examine
from ingest.queue import PREFIX, QueueDepth, SealedBatches
from ingest.tasks import new_batch_id, write_batch
from tests.conftest import offer_and_seal
from tests.deploy import compose
from tests.processes import Process, wait_until

SPANS = 1_000


@contextmanager
def clickhouse_held() -> Iterator[None]:
    """Let ClickHouse answer nothing for as long as the context lasts."""
    [server] = [
        child
        for child in psutil.Process(os.getpid()).children(recursive=True)
        if "axonize.embedded.clickhouse" in child.cmdline()
    ]
    server.suspend()
    try:
        yield
    finally:
        server.resume()


def seal_a_batch() -> str:
    verdict = examine(
        numbered.request(0, SPANS), tenant="default", now_ns=time.time_ns(), retention_days=settings.RETENTION_DAYS
    )
    batch_id = new_batch_id()
    assert asyncio.run(offer_and_seal([verdict], batch_id))
    return batch_id


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_told_to_stop_writes_the_batch_in_its_hands_first(
    clickhouse: Client, queue: redis.Redis
) -> None:
    batch_id = seal_a_batch()
    worker = Process(*compose.own()["worker"]["command"])
    try:
        with clickhouse_held():
            write_batch.delay(batch_id)
            wait_until(lambda: queue.hexists(f"{PREFIX}batch:{batch_id}:about", "leased_until_ms"), 60)
            worker.popen.send_signal(signal.SIGTERM)
            worker.wait_for("Warm shutdown", 60)
        assert worker.wait(60) == 0, worker.output
    finally:
        worker.popen.kill()
        worker.wait()
    assert SealedBatches(queue).depth() == QueueDepth(sealed_batches=0, queued_bytes=0)
    assert clickhouse.query("SELECT count() FROM spans").result_rows == [(SPANS,)]
