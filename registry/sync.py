"""Keeps the registry up to date: sightings from ClickHouse into PostgreSQL, and the registry's word back."""

from typing import Final

from django.core.cache import cache
from django.db import connection, transaction

from registry.conclusions import conclude_contexts
from registry.mirror import demand_mirror, mirror_is_due, mirror_registry
from registry.sightings import read_sightings
from registry.upserts import record_sightings

PAGE_SIZE: Final = 5000
# An insert's rows are stamped when it starts and seen when it ends; its task may take up to a minute.
OVERLAP_MS: Final = 60_000

# Another key than that of servers which kept less of what was seen: the first run reads everything.
WATERMARK_KEY: Final = "registry.sync.seen.watermark_ms"
_ADVISORY_LOCK: Final = int.from_bytes(b"registry")


def begin_again() -> None:
    """Have the next run read everything, as after a restore."""
    cache.delete(WATERMARK_KEY)
    demand_mirror()


def sync_registry() -> bool:
    """Bring PostgreSQL up to what ClickHouse saw since the last run, then ClickHouse up to PostgreSQL.

    Return False when another process is at it, which makes this call superfluous. The watermark of the last run is in
    the cache; without it everything is read, to the same end.
    Raises ClickHouseUnavailable, ClickHouseError; the next call goes on where this one stopped.
    """
    watermark_ms = cache.get(WATERMARK_KEY, 0)
    read_after_ms = watermark_ms - OVERLAP_MS
    while True:
        with transaction.atomic():
            if not _is_our_turn():
                return False
            sightings = read_sightings(written_after_ms=read_after_ms, limit=PAGE_SIZE)
            changed = record_sightings(sightings)
        if changed:
            demand_mirror()
        if sightings:
            read_after_ms = sightings[-1].written_at_ms
            if read_after_ms > watermark_ms:
                watermark_ms = read_after_ms
                cache.set(WATERMARK_KEY, watermark_ms, timeout=None)
        if len(sightings) < PAGE_SIZE:
            break
    conclude_contexts()
    if mirror_is_due():
        _mirror()
    return True


def _is_our_turn() -> bool:
    """Take the lock that ends with the transaction, or return False."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_ADVISORY_LOCK])
        (taken,) = cursor.fetchone()
    return bool(taken)


def _mirror() -> None:
    try:
        mirror_registry()
    except Exception:
        demand_mirror()
        raise
