"""Writing held for a moment: what is stored is then whole batches and nothing else, and the queue takes what comes."""

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, cast

import redis
from redis.exceptions import LockError

from ingest.gpu_time_schedule import GPU_TIME
from ingest.queue import PREFIX
from ingest.summary_schedule import SUMMARIES
from ingest.upkeep import Upkeep

KEY: Final = f"{PREFIX}writing:paused"
# Longer than any write of a batch, its lease; a batch that is searched for what is bad in it may take longer.
REST_SECONDS: Final = 75.0
_LONGEST_PAUSE_MS: Final = 120_000
_LOOK_EVERY_SECONDS: Final = 0.05
RETRY_SECONDS: Final = 1.0


class WritingGoesOn(Exception):
    """The writers did not come to rest in time, or began again too soon; the message says what to do."""


def is_paused(client: redis.Redis) -> bool:
    """Tell whether a batch that was claimed has to be given back. Raises redis.RedisError."""
    return bool(client.exists(KEY))


@contextmanager
def writing_paused(client: redis.Redis) -> Iterator[None]:
    """Let nothing be written within: no batch, no summary, no GPU time.

    A worker claims its batch first and then asks is_paused; here the pause is set first and then looked for claims. So
    one of the two sees the other. Raises WritingGoesOn, redis.RedisError.
    """
    token = uuid.uuid4().hex
    if not client.set(KEY, token, nx=True, px=_LONGEST_PAUSE_MS):
        raise WritingGoesOn("Another process holds the writers for a moment. Try again.")
    with ExitStack() as stack:
        stack.callback(_resume, client, token)
        until = time.monotonic() + REST_SECONDS
        for upkeep in (GPU_TIME, SUMMARIES):
            stack.enter_context(_at_rest(client, upkeep, until))
        _wait_for_writers(client, until)
        yield
        if cast(bytes | None, client.get(KEY)) != token.encode():
            raise WritingGoesOn(f"It took more than {_LONGEST_PAUSE_MS // 1000} s, and workers write again. Try again.")


def _wait_for_writers(client: redis.Redis, until: float) -> None:
    while _claimed(client):
        if time.monotonic() > until:
            raise WritingGoesOn(
                f"A batch is being written for more than {REST_SECONDS:.0f} s. Look at the worker's log and try again."
            )
        time.sleep(_LOOK_EVERY_SECONDS)


def _claimed(client: redis.Redis) -> bool:
    """Tell whether a worker has a batch."""
    seconds, microseconds = client.time()
    now_ms = seconds * 1000 + microseconds // 1000
    for batch in cast(list[bytes], client.zrange(f"{PREFIX}sealed", 0, -1)):
        leased_until_ms = client.hget(f"{PREFIX}batch:{batch.decode()}:about", "leased_until_ms")
        if int(cast(bytes | None, leased_until_ms) or 0) > now_ms:
            return True
    return False


@contextmanager
def _at_rest(client: redis.Redis, upkeep: Upkeep, until: float) -> Iterator[None]:
    lock = client.lock(upkeep.lock, timeout=_LONGEST_PAUSE_MS / 1000, blocking_timeout=until - time.monotonic())
    if not lock.acquire():
        raise WritingGoesOn(f"The upkeep of {upkeep.name} goes on for more than {REST_SECONDS:.0f} s. Try again later.")
    try:
        yield
    finally:
        with suppress(LockError):  # it took too long, which KEY tells too
            lock.release()


def _resume(client: redis.Redis, token: str) -> None:
    if cast(bytes | None, client.get(KEY)) == token.encode():
        client.delete(KEY)
