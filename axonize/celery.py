"""The Celery application: one queue for batches, one schedule for what has to recur."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    setup_logging,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_shutdown,
)
from django.conf import settings

from axonize import request_id

__all__ = ["app", "request_id"]  # whose signals carry a request's id to its tasks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

app = Celery("axonize")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add("axonize.health.worker:Health")


@celeryd_init.connect(weak=False)
@setup_logging.connect(weak=False)
def log_as_all_processes_do(**_signal: object) -> None:
    """Keep Celery from adding handlers and levels of its own, as it does where nobody listens to this signal."""
    logging.config.dictConfig(settings.LOGGING)
    logging.captureWarnings(capture=True)


@worker_init.connect
@worker_process_init.connect
def report_worker(**_signal: Any) -> None:
    """Have a worker tell its metrics, and each process that it forks."""
    from axonize.metrics import reporter  # noqa: PLC0415 - it needs the settings, which import this module

    reporter.start("worker")


@worker_shutdown.connect
@worker_process_shutdown.connect
def end_worker(**_signal: Any) -> None:
    """Have it tell its last; a forked one ends without what Python does at an exit."""
    from axonize.metrics import reporter  # noqa: PLC0415 - as above

    reporter.end()


@beat_init.connect
def report_beat(**_signal: Any) -> None:
    """Have beat tell its metrics."""
    from axonize.metrics import reporter  # noqa: PLC0415 - as above

    reporter.start("beat")
