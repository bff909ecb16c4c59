"""Celery tasks of the registry."""

import logging
import time

from celery import shared_task
from django.db import IntegrityError, OperationalError

from axonize.clickhouse.errors import ClickHouseUnavailable
from axonize.error_text import told
from axonize.metrics.tasks import REGISTRY_SYNC, completed
from registry import sync

logger = logging.getLogger(__name__)


@shared_task(name="registry.tasks.sync_registry")
def sync_registry() -> None:
    """Synchronise once; a store that is away is a line in the log, for beat calls again in two seconds.

    So is a card that somebody deletes while its slices are added.
    """
    began_s = time.time()
    try:
        if sync.sync_registry():
            completed(REGISTRY_SYNC, began_s=began_s)
    except (ClickHouseUnavailable, OperationalError, IntegrityError) as error:
        logger.warning("The registry is not synchronised, the next run tries again: %s", told(error))
