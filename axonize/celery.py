"""The Celery application: one queue for batches, one schedule for what has to recur."""

import logging.config
import os

from celery import Celery
from celery.signals import celeryd_init, setup_logging
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
