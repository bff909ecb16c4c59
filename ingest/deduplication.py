"""How many batches ClickHouse has to remember, so that one that is written again is known and stored once.

A table remembers the tokens of its last `non_replicated_deduplication_window` blocks; a batch leaves one block in each
partition that it touches. docs/decisions/0005-deduplication-windows.md says what that costs.
"""

import math
from typing import cast

from django.conf import settings

from axonize.clickhouse.retention import MOST_DAYS_LATE
from ingest.queue import LEASE_MS, SEALED_GRACE_MS
from ingest.tasks import LONGEST_RETRY_SECONDS, REFUSED_RETRY_SECONDS

RECEIVERS = 4
SPANS_PER_SECOND = 60_000
USUAL_PARTITIONS = 2  # a table's partition is a day; around midnight a batch has spans of two
MOST_PARTITIONS = MOST_DAYS_LATE + 2  # today and tomorrow


def rewritten_within_seconds() -> float:
    """Return how long after an attempt that reached some tables a batch may be written again, no store being away.

    Its writer dies at the end of its lease, or gives the batch back for the longest of pauses; the task that should
    come for it is lost, so the rescue does, and finds ClickHouse busy once more.
    """
    rescue_seconds = cast(float, settings.CELERY_BEAT_SCHEDULE["rescue-batches"]["schedule"])
    grace_seconds = SEALED_GRACE_MS / 1000
    return LEASE_MS / 1000 + REFUSED_RETRY_SECONDS + grace_seconds + rescue_seconds + LONGEST_RETRY_SECONDS


def batches_per_second() -> float:
    """Return how many batches are written at full load: receivers seal by age, and what is full is sealed at once."""
    return RECEIVERS * 1000 / settings.BATCH_MAX_AGE_MS + SPANS_PER_SECOND / settings.BATCH_MAX_SPANS


def blocks_to_remember(*, partitions: int) -> int:
    """Return how many blocks a table has to remember where a batch touches so many of its partitions."""
    return math.ceil(rewritten_within_seconds() * batches_per_second() * partitions)
