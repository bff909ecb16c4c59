"""The Celery tasks of the intake: write a sealed batch, bring up to date what is made of it, rescue what is left."""

import logging
import random
import time
import uuid
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from celery import Task, shared_task
from django.db import DatabaseError, OperationalError

from axonize.clickhouse.errors import ClickHouseError, ClickHouseUnavailable
from axonize.error_text import told
from axonize.log_lines import write_line
from axonize.metrics.tasks import completed
from axonize.metrics.writing import rescued, retries, written
from ingest import gpu_time_schedule, retention
from ingest.delivery import deliver
from ingest.gpu_time_schedule import GPU_TIME
from ingest.holds import HoldLost
from ingest.pause import RETRY_SECONDS, is_paused
from ingest.queue import SealedBatches, connect
from ingest.summary_schedule import SUMMARIES
from ingest.trial import TrialUndecided

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0
REFUSED_RETRY_SECONDS = 300.0
ORPHANED_AFTER_MS = 5_000  # a receiver seals its own batch long before
RESCUED_AT_ONCE = 100
RETENTION_EVERY_SECONDS = 3600.0
RETENTION_SECONDS = 240.0  # with its last statement less than the broker waits (visibility_timeout)


@lru_cache(maxsize=1)
def sealed_batches() -> SealedBatches:
    return SealedBatches(connect())


@shared_task(bind=True, max_retries=None)
def write_batch(self: "Task[[str], Any]", batch_id: str) -> None:
    """Store one sealed batch and forget it; come again while ClickHouse or PostgreSQL is away.

    A batch that can be neither stored nor found at fault is kept and tried again at long intervals.
    """
    began_s = time.monotonic()
    queue = sealed_batches()
    batch = queue.claim(batch_id)
    if batch is None:
        return
    if is_paused(queue.client):
        queue.release(batch_id, delay_ms=int(RETRY_SECONDS * 1000))
        raise self.retry(countdown=RETRY_SECONDS)
    try:
        with GPU_TIME.written(queue.client, batch_id), SUMMARIES.written(queue.client, batch_id):
            deliver(queue.client, batch_id, batch)
    except HoldLost as error:
        logger.warning("%s", error)
        return
    except (ClickHouseError, DatabaseError, TrialUndecided) as error:
        passing = isinstance(error, ClickHouseUnavailable | OperationalError)
        delay = retry_delay_seconds(self.request.retries, passing=passing)
        retries["transient" if passing else "refused"].inc()
        queue.release(batch_id, delay_ms=int(delay * 1000))
        level = logging.WARNING if passing else logging.ERROR
        logger.log(level, "Batch %s is not stored, next try in %.0f s: %s", batch_id, delay, told(error))
        raise self.retry(countdown=delay) from error
    history = queue.history(batch_id)
    if queue.discard(batch_id):
        seconds = time.monotonic() - began_s
        written(spans=history.spans, size_bytes=len(batch), seconds=seconds)
        fields = {"batch_id": batch_id, **asdict(history), "bytes": len(batch), "duration_ms": round(seconds * 1000, 3)}
        write_line(logger, logging.INFO, "batch written", fields)
    summarize_traces()


@shared_task
def summarize_traces() -> None:
    """Bring the summaries of traces up to what was written; a store that is away is a line in the log.

    What is due stays due, and beat calls each second.
    """
    began_s = time.time()
    try:
        SUMMARIES.keep_up(sealed_batches().client)
    except ClickHouseError as error:
        logger.warning("The summaries of traces are not up to date, the next run tries again: %s", told(error))
    else:
        completed("summaries", began_s=began_s)


@shared_task
def share_out_gpu_time() -> None:
    """Share the time of GPUs out among the spans that were written; as of summarize_traces."""
    began_s = time.time()
    try:
        gpu_time_schedule.keep_up(sealed_batches().client)
    except ClickHouseError as error:
        logger.warning("The time of GPUs is not shared out, the next run tries again: %s", told(error))
    else:
        completed("gpu_time", began_s=began_s)


@shared_task
def apply_retention() -> None:
    """Have every store keep what the settings and the tenants say; a store that is away is a line in the log.

    It is done each hour, though days end at midnight, so a machine that sleeps at night misses nothing. Beat asks more
    often: for what one run had no time for, and because a beat that was started anew counts from its start.
    """
    began_s = time.time()
    client = sealed_batches().client
    if began_s - (retention.last_success(client) or 0) < RETENTION_EVERY_SECONDS:
        return
    try:
        left = retention.apply(most_seconds=RETENTION_SECONDS)
    except (ClickHouseError, DatabaseError) as error:
        logger.warning("What is too old is not deleted, the next run tries again: %s", told(error))
        return
    if left:
        logger.info("Some of what is too old is left to the next run.")
        return
    retention.remember_success(client)
    completed("retention", began_s=began_s)


@shared_task
def rescue_batches() -> None:
    """Seal what a dead receiver left open, and hand out again the sealed batches that no task owns."""
    began_s = time.time()
    queue = sealed_batches()
    for receiver in queue.open_receivers():
        if queue.seal(receiver, batch_id=new_batch_id(), min_age_ms=ORPHANED_AFTER_MS):
            rescued["open"].inc()
            logger.warning("Sealed the batch that receiver %s left open", receiver)
    for batch_id in queue.rescue(most=RESCUED_AT_ONCE):
        rescued["sealed"].inc()
        logger.warning("Batch %s has no task, handing it out again", batch_id)
        write_batch.delay(batch_id)
    completed("rescue", began_s=began_s)


def retry_delay_seconds(retries: int, *, passing: bool) -> float:
    """Return how long to wait: doubling with each retry up to a bound, with jitter, lest a fleet comes at once."""
    if not passing:
        return REFUSED_RETRY_SECONDS
    delay = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(retries, 10))
    return random.uniform(delay / 2, delay)  # noqa: S311  no secret


def new_batch_id() -> str:
    return uuid.uuid4().hex
