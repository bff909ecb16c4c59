"""When the summaries are brought up to date: soon after each written batch, one worker at a time, with rests between.

summaries:begun    there once all traces were looked at, which a Redis that begins anew can't know; named for the
                   schema file that made trace_summaries, for a table that is made anew has to be filled again
summaries:due      the batches written to since, by the time at which their writing began
summaries:resting  there while it is too early for the next run
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.exceptions import LockError

from ingest.queue import PREFIX
from ingest.summaries import TIMEOUT_SECONDS, summarize_all, summarize_changes

logger = logging.getLogger(__name__)

BEGUN = PREFIX + "summaries:begun:0068"
DUE = PREFIX + "summaries:due"
LOCK = PREFIX + "summaries:lock"
RESTING = PREFIX + "summaries:resting"
# A batch's rows are stamped by ClickHouse while it is written, and ClickHouse's milliseconds are not Redis's.
MARGIN_MS = 1_000
# ClickHouse forgets after two hours which traces were written to (schema/0042); what is due for longer is all there is.
FEED_KEPT_MS = 7_000_000
# Of a run's time, a few times as long is left to everything else, up to where lists would show new spans too late; what
# is written meanwhile waits for the next run.
REST_FACTOR = 10
SHORTEST_REST_MS, LONGEST_REST_MS = 100, 500


@contextmanager
def summarized(client: redis.Redis, batch_id: str) -> Iterator[None]:
    """Have the traces summarized that a batch touches, which is written within. Raises redis.RedisError."""
    began_ms = _now_ms(client)
    yield
    client.zadd(DUE, {batch_id: began_ms}, nx=True)


def keep_up(client: redis.Redis) -> bool:
    """Summarize what is due, at first all there is, unless another is at it or just was; tell whether this call did.

    Raises redis.RedisError, ClickHouseUnavailable, ClickHouseError; what was due then stays so.
    """
    begun = client.exists(BEGUN) and not _is_forgotten(client)
    if client.exists(RESTING) or (begun and not client.exists(DUE)):
        return False
    lock = client.lock(LOCK, timeout=2 * TIMEOUT_SECONDS, blocking=False)
    if not lock.acquire():
        return False
    try:
        began = time.monotonic()
        if not begun:
            for _ in summarize_all():
                lock.reacquire()
            client.set(BEGUN, 1)
        due = client.zrange(DUE, 0, -1, withscores=True)
        if due:
            summarize_changes(of_last_ms=_now_ms(client) - int(due[0][1]) + MARGIN_MS)
            client.zrem(DUE, *(entry[0] for entry in due))
        took_ms = int((time.monotonic() - began) * 1000)
        client.set(RESTING, 1, px=min(max(SHORTEST_REST_MS, REST_FACTOR * took_ms), LONGEST_REST_MS))
        return True
    finally:
        _give_back(lock)


def _is_forgotten(client: redis.Redis) -> bool:
    """Tell whether the first of what is due was written so long ago that nothing knows which traces it touched."""
    first = client.zrange(DUE, 0, 0, withscores=True)
    return bool(first) and _now_ms(client) - int(first[0][1]) > FEED_KEPT_MS


def _give_back(lock: "redis.lock.Lock") -> None:
    try:
        lock.release()
    except LockError:
        logger.warning("The summaries took longer than their lock was held; the next run puts right what two did.")


def _now_ms(client: redis.Redis) -> int:
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000
