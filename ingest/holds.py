"""The queue's steps for a batch that can't be stored as it is: one writer holds it for long and divides it, once.

batch:ID ──(divided: one step)──► batch:ID, what can be stored + batch:ID:letters, what can't ──► dead letters
"""

import uuid
from typing import cast

import redis

from ingest.queue import LEASE_MS, PREFIX
from ingest.queue_steps import NOW

# Begin to hold a batch, or go on with it. Answers 1 while it is there and nobody began after us.
EXTEND = (
    NOW
    + """
local prefix, batch, holder, lease_ms, begins = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local about = prefix .. 'batch:' .. batch .. ':about'
if not redis.call('ZSCORE', prefix .. 'sealed', batch) then
    return 0
end
if not begins and redis.call('HGET', about, 'holder') ~= holder then
    return 0
end
redis.call('HSET', about, 'holder', holder, 'leased_until_ms', now_ms() + lease_ms)
redis.call('ZADD', prefix .. 'sealed', now_ms() + lease_ms, batch)
return 1
"""
)

# Put what can be stored in the batch's place and what can't beside it. Answers 1 if it is still ours to divide.
DIVIDE = """
local prefix, batch, holder, rest, letters = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key = prefix .. 'batch:' .. batch
if not redis.call('ZSCORE', prefix .. 'sealed', batch) or redis.call('HGET', key .. ':about', 'holder') ~= holder then
    return 0
end
redis.call('INCRBY', prefix .. 'queued_bytes', #rest + #letters - redis.call('STRLEN', key))
redis.call('SET', key, rest)
redis.call('SET', key .. ':letters', letters)
return 1
"""

# Forget the letters of a batch, which PostgreSQL has by now.
FORGET_LETTERS = """
local prefix, key = ARGV[1], ARGV[1] .. 'batch:' .. ARGV[2] .. ':letters'
redis.call('DECRBY', prefix .. 'queued_bytes', redis.call('STRLEN', key))
return redis.call('DEL', key)
"""


class HoldLost(Exception):
    """Somebody else is at work on the batch by now, or is done with it."""


class Hold:
    """A writer's hold on a batch that it has claimed. Every method raises redis.RedisError when Redis is away."""

    def __init__(self, client: redis.Redis, batch_id: str) -> None:
        self._client = client
        self._batch_id = batch_id
        self._holder = uuid.uuid4().hex
        self._extend = client.register_script(EXTEND)
        self._divide = client.register_script(DIVIDE)
        self._forget_letters = client.register_script(FORGET_LETTERS)

    def begin(self) -> None:
        """Take the batch from whoever held it before. Raises HoldLost where it is done."""
        self._step(begins=True)

    def extend(self) -> None:
        """Keep the rescue away for another LEASE_MS. Raises HoldLost."""
        self._step(begins=False)

    def divide(self, *, rest: bytes, letters: bytes) -> None:
        """Decide for good what of the batch is written under its id, and what is not. Raises HoldLost."""
        if not self._divide(args=[PREFIX, self._batch_id, self._holder, rest, letters]):
            raise HoldLost(f"Batch {self._batch_id} is in other hands.")

    def letters(self) -> bytes:
        """Return what an earlier division set aside and nobody has stored yet, else b''."""
        return cast(bytes | None, self._client.get(f"{PREFIX}batch:{self._batch_id}:letters")) or b""

    def forget_letters(self) -> None:
        """Forget what was set aside, once it is stored."""
        self._forget_letters(args=[PREFIX, self._batch_id])

    def is_done(self, batch_id: str) -> bool:
        """Tell whether a batch, any one, is not in the queue any more."""
        return self._client.zscore(f"{PREFIX}sealed", batch_id) is None

    def _step(self, *, begins: bool) -> None:
        if not self._extend(args=[PREFIX, self._batch_id, self._holder, LEASE_MS, int(begins)]):
            raise HoldLost(f"Batch {self._batch_id} is in other hands.")
