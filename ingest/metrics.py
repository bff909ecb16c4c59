"""What /metrics tells of the queue and of the dead letters, asked when it is scraped."""

import logging
from collections.abc import Iterator

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from axonize.error_text import told
from ingest.models import DeadLetter
from ingest.queue import QueueDepth, SealedBatches

logger = logging.getLogger(__name__)

REDIS_TIMEOUT_SECONDS = 2
POSTGRES_TIMEOUT_MS = 2_000


class IngestCollector(Collector):
    """Gauges of the stores. One that is away, or slow, leaves its own out and the others as they are."""

    def describe(self) -> Iterator[Metric]:
        """Name the metrics, so that registering asks no store."""
        yield _queue_bytes()
        yield _queue_sealed_batches()
        yield _dead_letters()

    def collect(self) -> Iterator[Metric]:
        """Ask Redis and PostgreSQL, each for no longer than its timeout."""
        try:
            depth = queue_depth()
        except redis.RedisError as error:
            logger.warning("No metrics of the queue: %s", told(error))
        else:
            yield _queue_bytes(depth.queued_bytes)
            yield _queue_sealed_batches(depth.sealed_batches)
        try:
            counts = dead_letters_by_tenant()
        except DatabaseError as error:
            logger.warning("No metrics of dead letters: %s", told(error))
        else:
            gauge = _dead_letters()
            for tenant, count in counts.items():
                gauge.add_metric([tenant], count)
            yield gauge


def queue_depth() -> QueueDepth:
    """Return what waits in the queue. Raises redis.RedisError."""
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT_SECONDS, socket_connect_timeout=REDIS_TIMEOUT_SECONDS
    ) as client:
        return SealedBatches(client).depth()


def dead_letters_by_tenant() -> dict[str, int]:
    """Return how many dead letters each tenant has, '' for bytes of nobody known. Raises django.db.DatabaseError."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(POSTGRES_TIMEOUT_MS)])
        counts = DeadLetter.objects.order_by().values_list("tenant").annotate(letters=Count("pk"))
        return dict(counts)


def _queue_bytes(value: int | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily("axonize_queue_bytes", "Bytes in the queue, compressed.", value=value)


def _queue_sealed_batches(value: int | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily("axonize_queue_sealed_batches", "Batches that wait for a writer.", value=value)


def _dead_letters() -> GaugeMetricFamily:
    return GaugeMetricFamily("axonize_dead_letters", "Dead letters that wait for an operator.", labels=["tenant"])
