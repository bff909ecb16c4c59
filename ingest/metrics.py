"""What /metrics tells of the queue and of the dead letters, asked when it is scraped."""

import logging
from collections.abc import Iterator, Sequence
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from axonize.error_text import told
from ingest import faults  # noqa: F401 - what spans are refused for is on the page before any was
from ingest.models import DeadLetter
from ingest.queue import SealedBatches

logger = logging.getLogger(__name__)

REDIS_TIMEOUT_SECONDS = 2
POSTGRES_TIMEOUT_MS = 2_000


class IngestCollector(Collector):
    """Gauges of the stores. One that is away, or slow, leaves its own out and the others as they are."""

    def describe(self) -> Iterator[Metric]:
        """Name the metrics, so that registering asks no store."""
        yield from _queue([None] * len(_QUEUE))
        yield _dead_letters()

    def collect(self) -> Iterator[Metric]:
        """Ask Redis and PostgreSQL, each for no longer than its timeout."""
        try:
            values = queue_now()
        except redis.RedisError as error:
            logger.warning("No metrics of the queue: %s", told(error))
        else:
            yield from _queue(values)
        try:
            counts = dead_letters_by_tenant()
        except DatabaseError as error:
            logger.warning("No metrics of dead letters: %s", told(error))
        else:
            gauge = _dead_letters()
            for tenant, count in counts.items():
                gauge.add_metric([tenant], count)
            yield gauge


def queue_now() -> list[float]:
    """Return the values of the queue's gauges, in their order. Raises redis.RedisError."""
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT_SECONDS, socket_connect_timeout=REDIS_TIMEOUT_SECONDS
    ) as client:
        queue = SealedBatches(client)
        depth, waits = queue.depth(), queue.waits()
    return [
        depth.queued_bytes,
        settings.QUEUE_MAX_BYTES,
        depth.sealed_batches,
        waits.sealed_ms / 1000,
        waits.open_ms / 1000,
    ]


def dead_letters_by_tenant() -> dict[str, int]:
    """Return how many dead letters each tenant has, '' for bytes of nobody known. Raises django.db.DatabaseError."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(POSTGRES_TIMEOUT_MS)])
        counts = DeadLetter.objects.order_by().values_list("tenant").annotate(letters=Count("pk"))
        return dict(counts)


_QUEUE: Final = {
    "axonize_queue_bytes": "Bytes in the queue, compressed.",
    "axonize_queue_limit_bytes": "Bytes that may be in the queue.",
    "axonize_queue_sealed_batches": "Batches that wait for a writer.",
    "axonize_queue_oldest_sealed_batch_age_seconds": "For how long the oldest sealed batch waits; 0 is none.",
    "axonize_queue_oldest_open_batch_age_seconds": "For how long the oldest open batch is open; 0 is none.",
}


def _queue(values: Sequence[float | None]) -> Iterator[GaugeMetricFamily]:
    for (name, meaning), value in zip(_QUEUE.items(), values, strict=True):
        yield GaugeMetricFamily(name, meaning, value)


def _dead_letters() -> GaugeMetricFamily:
    return GaugeMetricFamily("axonize_dead_letters", "Dead letters that wait for an operator.", labels=["tenant"])
