"""The page that is scraped: the figures of all processes, and those of the stores, asked for at that moment."""

import logging
from collections.abc import Iterator
from typing import Final

import redis
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from axonize import __version__
from axonize.error_text import told
from axonize.health import checks as health

# Whose metrics are on the page also before their processes have told any
from axonize.metrics import process, reads, receiving, tasks, writing  # noqa: F401
from axonize.metrics.merging import merged
from axonize.metrics.reporter import brought_up_to_date
from axonize.metrics.store import Store, Stored

logger = logging.getLogger(__name__)

# Asked when somebody scrapes; the apps add their own.
SCRAPED: Final = CollectorRegistry()


class ServerCollector(Collector):
    """What this process alone can tell: its version, and what of the checks of readiness passes."""

    def describe(self) -> Iterator[Metric]:
        """Name the metrics, so that registering asks no store."""
        yield from (_build_info(), _checks())

    def collect(self) -> Iterator[Metric]:
        yield _build_info()
        checks = _checks()
        for name, verdict in health.run_checks().items():
            checks.add_metric([name], float(verdict == health.OK))
        yield checks


class ProcessesCollector(Collector):
    """The figures of all processes. While Redis is away there are none, for those of one would look like a fall."""

    def describe(self) -> Iterator[Metric]:
        return merged(Stored([], {}))

    def collect(self) -> Iterator[Metric]:
        try:
            stored = _stored()
        except redis.RedisError as error:
            logger.warning("No metrics of the processes: %s", told(error))
            return
        yield from merged(stored)


def page() -> bytes:
    """Return all metrics in Prometheus's text format."""
    return generate_latest(SCRAPED)


def _stored() -> Stored:
    """Return what all processes have counted, this one up to now. Raises redis.RedisError."""
    store = Store()
    try:
        unreported = brought_up_to_date()
        stored = store.read()
    finally:
        store.close()
    if unreported is None:
        return stored
    return Stored([*stored.processes, (unreported, True)], stored.gone)


def _build_info() -> Metric:
    metric = GaugeMetricFamily("axonize_build_info", "The version of the web process.", labels=["version"])
    metric.add_metric([__version__], 1)
    return metric


def _checks() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "axonize_check_ok", "Whether a check of the web process's readiness passes.", labels=["check"]
    )


SCRAPED.register(ServerCollector())
SCRAPED.register(ProcessesCollector())
