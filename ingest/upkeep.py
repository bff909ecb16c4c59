"""What is made of the spans is brought up to date soon after each written batch: one worker at a time, with rests.

NAME:begun    there once all that is stored was looked at, which a Redis that begins anew can't know; with the number of
              the schema file that made the table, for one that is made anew has to be filled again
NAME:due      the batches written to since, by the time at which their writing began
NAME:until    when the last run began, for not only batches change what is stored
NAME:resting  there while it is too early for the next run
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import redis
from redis.exceptions import LockError

from ingest.queue import PREFIX

logger = logging.getLogger(__name__)

# A batch's rows are stamped by ClickHouse while it is written, and ClickHouse's milliseconds are not Redis's.
MARGIN_MS = 1_000
# ClickHouse forgets after two hours what was written to (schema/0042, 0085); what is due for longer is all there is.
FEED_KEPT_MS = 7_000_000
RUN_SECONDS = 60
"""How long a step of a run may take; longer than that no other worker may begin one."""


@dataclass(frozen=True)
class Rest:
    """Of a run's time, so many times as long is left to everything else, within bounds."""

    factor: float
    shortest_ms: int
    longest_ms: int

    def after(self, took_ms: int) -> int:
        return int(min(max(self.shortest_ms, self.factor * took_ms), self.longest_ms))


class Upkeep:
    """One of the things made of the spans, and when it is due."""

    def __init__(
        self,
        name: str,
        *,
        generation: str,
        changes: Callable[[int], None],
        everything: Callable[[], Iterator[float]],
        rest: Rest,
    ) -> None:
        """Describe it.

        Args:
            name: tells it from others.
            generation: the number of the schema file that made its table.
            changes: brings it up to what was written in the last so many milliseconds, by ClickHouse's clock.
            everything: brings it up to all there is, in steps of RUN_SECONDS at most; yields the share that is done.
            rest: between two runs.

        """
        self.rest = rest
        self.begun = f"{PREFIX}{name}:begun:{generation}"
        self.due = f"{PREFIX}{name}:due"
        self.until = f"{PREFIX}{name}:until"
        self.resting = f"{PREFIX}{name}:resting"
        self.lock = f"{PREFIX}{name}:lock"
        self.name = name
        self._changes, self._everything = changes, everything

    def begin_again(self, client: redis.Redis) -> None:
        """Have the next run look at all there is, as after a restore. Raises redis.RedisError."""
        client.delete(self.begun, self.due, self.until, self.resting)

    @contextmanager
    def written(self, client: redis.Redis, batch_id: str) -> Iterator[None]:
        """Have it follow the batch that is written within. Raises redis.RedisError."""
        began_ms = _now_ms(client)
        yield
        client.zadd(self.due, {batch_id: began_ms}, nx=True)

    def keep_up(self, client: redis.Redis) -> bool:
        """Do what is due, at first all there is, unless another is at it or just was; tell whether this call did.

        Raises redis.RedisError, ClickHouseUnavailable, ClickHouseError; what was due then stays so.
        """
        if not self.is_due(client):
            return False
        lock = client.lock(self.lock, timeout=2 * RUN_SECONDS, blocking=False)
        if not lock.acquire():
            return False
        try:
            began = time.monotonic()
            if not self._is_begun(client):
                for _ in self._everything():
                    lock.reacquire()
                client.set(self.begun, 1)
            due = cast(list[tuple[bytes, float]], client.zrange(self.due, 0, -1, withscores=True))
            if due:
                now_ms, since_ms = _now_ms(client), int(due[0][1])
                last_ms = int(cast(bytes | None, client.get(self.until)) or since_ms)
                self._changes(now_ms - min(since_ms, last_ms) + MARGIN_MS)
                client.zrem(self.due, *(batch_id for batch_id, _ in due))
                client.set(self.until, now_ms)
            client.set(self.resting, 1, px=self.rest.after(int((time.monotonic() - began) * 1000)))
            return True
        finally:
            self._give_back(lock)

    def is_due(self, client: redis.Redis) -> bool:
        """Tell whether there is something to do, and no rest to wait for. Raises redis.RedisError."""
        return not client.exists(self.resting) and bool(client.exists(self.due) or not self._is_begun(client))

    def _is_begun(self, client: redis.Redis) -> bool:
        return bool(client.exists(self.begun)) and not self._is_forgotten(client)

    def _is_forgotten(self, client: redis.Redis) -> bool:
        """Tell whether the first of what is due was written so long ago that nothing knows what it touched."""
        first = cast(list[tuple[bytes, float]], client.zrange(self.due, 0, 0, withscores=True))
        return bool(first) and _now_ms(client) - int(first[0][1]) > FEED_KEPT_MS

    def _give_back(self, lock: "redis.lock.Lock") -> None:
        try:
            lock.release()
        except LockError:
            logger.warning("%s took longer than their lock was held; the next run puts right what two did.", self.name)


def _now_ms(client: redis.Redis) -> int:
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000
