"""What the stores keep, and for how long: planned, and applied by a command and by beat."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

import redis
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from axonize.clickhouse import expiry, retention
from axonize.clickhouse.expiry import Expired
from axonize.clickhouse.retention import MOST_DAYS_LATE, Change
from ingest.models import DeadLetter
from ingest.queue import PREFIX
from registry.models import Tenant

APPLIED_AT: Final = f"{PREFIX}retention:applied_at"


@dataclass(frozen=True)
class Plan:
    """What differs from what settings and tenants say: tables, rows of tenants, and a number of dead letters."""

    changes: list[Change]
    expired: list[Expired]
    dead_letters: int


def days_accepted(tenant_days: int | None) -> int:
    """Return how late a span may come, in days: what would be deleted at once is refused, and the very late as well."""
    return min(MOST_DAYS_LATE, settings.RETENTION_DAYS, tenant_days or MOST_DAYS_LATE)


def plan() -> Plan:
    """Return what apply() would do. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError, DatabaseError."""
    return Plan(retention.changes(), list(expiry.expired(_days_by_tenant())), _old_letters().count())


def apply(*, most_seconds: float = float("inf")) -> bool:
    """Do it, and tell whether something is left because the time was over; what is done stays done.

    Raises as plan() does; a repetition does no harm.
    """
    until = time.monotonic() + most_seconds
    retention.change(retention.changes())
    _old_letters().delete()
    days = _days_by_tenant()
    for rows in _until(until, expiry.expired(days)):
        if rows is None:
            return True
        expiry.delete(rows, days)
    return False


def remember_success(client: redis.Redis) -> None:
    """Write down that all is applied as of now. Raises redis.RedisError."""
    client.set(APPLIED_AT, time.time())


def last_success(client: redis.Redis) -> float | None:
    """Return when it was applied last, in seconds since 1970, None where nobody knows. Raises redis.RedisError."""
    at = cast(bytes | None, client.get(APPLIED_AT))
    return None if at is None else float(at)


def _days_by_tenant() -> dict[str, int]:
    """Return the tenants that keep theirs for a shorter time than some table does."""
    longest = max(settings.RETENTION_DAYS, settings.GPU_METRICS_RETENTION_DAYS, settings.GPU_TIME_RETENTION_DAYS)
    found = Tenant.objects.filter(retention_days__lt=longest).order_by("slug")
    return {slug: days for slug, days in found.values_list("slug", "retention_days") if days is not None}


def _old_letters() -> QuerySet[DeadLetter]:
    since: datetime = timezone.now() - timedelta(days=settings.DEAD_LETTER_RETENTION_DAYS)
    return DeadLetter.objects.filter(failed_at__lt=since)


def _until(until: float, all_rows: Iterator[Expired]) -> Iterator[Expired | None]:
    """Yield the rows, and None in place of those for which there is no time."""
    for rows in all_rows:
        if time.monotonic() > until:
            yield None
            return
        yield rows
