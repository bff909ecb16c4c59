"""The Celery tasks of the intake: write a sealed batch, bring up to date what is made of it, rescue what is left."""

import logging
import random
import time
import uuid
from functools import lru_cache
from typing import Any

from celery import Task, shared_task
from celery.utils.log import get_task_logger
from django.db import DatabaseError, OperationalError

from axonize.clickhouse.errors import ClickHouseError, ClickHouseUnavailable
from axonize.metrics.tasks import completed
from axonize.metrics.writing import rescued, retries, written
from ingest import gpu_time_schedule
from ingest.delivery import deliver
from ingest.gpu_time_schedule import GPU_TIME
from ingest.holds import HoldLost
from ingest.queue import SealedBatches, connect
from ingest.summary_schedule import SUMMARIES
from ingest.trial import TrialUndecided

logger = get_task_logger(__name__)

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0
REFUSED_RETRY_SECONDS = 300.0
ORPHANED_AFTER_MS = 5_000  # a receiver seals its own batch long before
RESCUED_AT_ONCE = 100


@lru_cache(maxsize=1)
def sealed_batches() -> SealedBatches:
    return SealedBatches(connect())


@shared_task(bind=True, max_retries=None)
def write_batch(self: "Task[[str], Any]", batch_id: str) -> None:
    """Store one sealed batch and forget it; come again while ClickHouse or PostgreSQL is away.

    A batch that can be neither stored nor found at fault is kept and tried again at long intervals.
    """
    queue = sealed_batches()
    batch = queue.claim(batch_id)
    if batch is None:
        return
    spans, began_s = queue.spans_of(batch_id), time.monotonic()
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
        logger.log(level, "Batch %s is not stored, next try in %.0f s: %s", batch_id, delay, error)
        raise self.retry(countdown=delay) from error
    written(spans=spans, size_bytes=len(batch), seconds=time.monotonic() - began_s)
    queue.discard(batch_id)
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
        logger.warning("The summaries of traces are not up to date, the next run tries again: %s", error)
    else:
        completed("summaries", began_s=began_s)


@shared_task
def share_out_gpu_time() -> None:
    """Share the time of GPUs out among the spans that were written; as of summarize_traces."""
    began_s = time.time()
    try:
        gpu_time_schedule.keep_up(sealed_batches().client)
    except ClickHouseError as error:
        logger.warning("The time of GPUs is not shared out, the next run tries again: %s", error)
    else:
        completed("gpu_time", began_s=began_s)


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
