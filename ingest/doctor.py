"""What the doctor looks at in the queue: room, batches that nobody takes, and spans that could not be stored."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import redis
from django.conf import settings

from axonize.doctor.finding import Check, Finding, fail, ok, warn
from ingest.models import DeadLetter
from ingest.queue import FULL_SHARE, PREFIX, SealedBatches

TIMEOUT_SECONDS: Final = 5
NEARLY_FULL_SHARE: Final = 0.8
OVERDUE_SECONDS: Final = 30
"""A batch that nobody is at work on is handed out every five seconds, where beat and a worker run."""
MEMORY_SHARE: Final = 0.5
MIB: Final = 1024**2


def queue() -> Iterator[Finding]:
    """Look at what waits in Redis, and at the room for it."""
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    ) as client:
        depth = SealedBatches(client).depth()
        yield _fill(depth.queued_bytes)
        yield from _overdue(client)
        yield from _room(cast(Mapping[str, Any], client.info("memory")), depth.queued_bytes)


def dead_letters() -> Iterator[Finding]:
    """Count what ClickHouse refused for good."""
    count = DeadLetter.objects.count()
    if count:
        yield warn(f"{count} dead letters wait.", "See `manage.py dead_letters list`: replay them, or purge them.")
    else:
        yield ok("There are none.")


def _fill(queued_bytes: int) -> Finding:
    share = queued_bytes / settings.QUEUE_MAX_BYTES
    what = f"{queued_bytes / MIB:.0f} MiB wait, {share:.0%} of what may (AXONIZE_QUEUE_MAX_BYTES)."
    mend = "Look whether ClickHouse and the workers keep up: `manage.py health worker` says what one waits for."
    if share > FULL_SHARE:
        return fail(what, mend)
    return warn(what, mend) if share > NEARLY_FULL_SHARE else ok(what)


def _overdue(client: redis.Redis) -> Iterator[Finding]:
    seconds, _ = client.time()
    oldest = cast(list[tuple[bytes, float]], client.zrange(f"{PREFIX}sealed", 0, 0, withscores=True))
    overdue_s = seconds - oldest[0][1] / 1000 if oldest else 0.0
    if overdue_s > OVERDUE_SECONDS:
        yield fail(
            f"A batch has waited for {overdue_s:.0f} s for somebody to take it.",
            "Start beat and a worker: beat hands it out again, a worker writes it.",
        )


def _room(memory: Mapping[str, Any], queued_bytes: int) -> Iterator[Finding]:
    needed = settings.QUEUE_MAX_BYTES - queued_bytes
    limit = memory["maxmemory"]
    if limit and limit - memory["used_memory"] < needed:
        yield fail(
            f"Redis has {(limit - memory['used_memory']) / MIB:.0f} MiB left, and the queue may grow by "
            f"{needed / MIB:.0f} MiB.",
            "Raise its maxmemory, or lower AXONIZE_QUEUE_MAX_BYTES.",
        )
    elif not limit and memory["total_system_memory"] * MEMORY_SHARE < settings.QUEUE_MAX_BYTES:
        yield warn(
            "The queue may take more than half of the memory of the machine that Redis runs on.",
            "Lower AXONIZE_QUEUE_MAX_BYTES, or give it a larger machine.",
        )


CHECKS: Final[dict[str, Check]] = {"queue": queue, "dead letters": dead_letters}
