"""The queue in Redis: requests are appended to a receiver's open batch, sealed batches wait for a writer.

    open:RECEIVER ──(size or age reached: one RENAME)──► batch:ID ──(written)──► gone

Every step is one script, so it happens whole or not at all, and a batch's content is fixed the moment it is sealed.
`sealed` holds, for each sealed batch, the time from which nobody is at work on it and the rescue may hand it out again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

PREFIX = "axonize:"
SEEN_SECONDS = 600  # how long a request's digest is remembered: longer than any client goes on retrying
SEALED_GRACE_MS = 30_000  # how long after its sealing a batch is taken to be on its way to a worker
LEASE_MS = 60_000  # how long a writer has a batch for itself: longer than WRITE_TIMEOUT_SECONDS
SOCKET_TIMEOUT_SECONDS = 5
RECEIVER_CONNECTIONS = 16

FULL = -1  # what OFFER answers for a full queue; 1 is stored, 0 taken before

NOW = """
local function now_ms()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

SEAL = (
    NOW
    + """
local function seal(prefix, receiver, batch, grace_ms)
    redis.call('RENAME', prefix .. 'open:' .. receiver, prefix .. 'batch:' .. batch)
    redis.call('RENAME', prefix .. 'open:' .. receiver .. ':about', prefix .. 'batch:' .. batch .. ':about')
    redis.call('ZREM', prefix .. 'open', receiver)
    redis.call('ZADD', prefix .. 'sealed', now_ms() + grace_ms, batch)
end
"""
)

# Remember the request and append it, then seal the batch if it has its size. Answers {outcome, sealed batch or ''}.
OFFER = (
    SEAL
    + """
local prefix, receiver, batch, digest = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local frame, spans, raw_bytes = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local queue_max_bytes, batch_max_spans, batch_max_bytes = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local seen_seconds, grace_ms = tonumber(ARGV[11]), tonumber(ARGV[12])
if redis.call('EXISTS', prefix .. 'seen:' .. digest) == 1 then
    return {0, ''}
end
if tonumber(redis.call('GET', prefix .. 'queued_bytes') or '0') + #frame > queue_max_bytes then
    return {-1, ''}
end
local about = prefix .. 'open:' .. receiver .. ':about'
if redis.call('APPEND', prefix .. 'open:' .. receiver, frame) == #frame then
    redis.call('ZADD', prefix .. 'open', now_ms(), receiver)
end
redis.call('SET', prefix .. 'seen:' .. digest, '1', 'EX', seen_seconds)
redis.call('INCRBY', prefix .. 'queued_bytes', #frame)
local spans_now = redis.call('HINCRBY', about, 'spans', spans)
local bytes_now = redis.call('HINCRBY', about, 'raw_bytes', raw_bytes)
if spans_now >= batch_max_spans or bytes_now >= batch_max_bytes then
    seal(prefix, receiver, batch, grace_ms)
    return {1, batch}
end
return {1, ''}
"""
)

# Seal a receiver's open batch if it is old enough. Answers 1 when there was one to seal.
SEAL_AGED = (
    SEAL
    + """
local prefix, receiver, batch, min_age_ms, grace_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local opened_ms = redis.call('ZSCORE', prefix .. 'open', receiver)
if not opened_ms or now_ms() - opened_ms < min_age_ms then
    return 0
end
seal(prefix, receiver, batch, grace_ms)
return 1
"""
)

# Take a sealed batch for a time. Answers its bytes, or nothing when it is gone or somebody else has it.
CLAIM = (
    NOW
    + """
local prefix, batch, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local about = prefix .. 'batch:' .. batch .. ':about'
local leased_until_ms = tonumber(redis.call('HGET', about, 'leased_until_ms') or '0')
if not redis.call('ZSCORE', prefix .. 'sealed', batch) or leased_until_ms > now_ms() then
    return false
end
redis.call('HSET', about, 'leased_until_ms', now_ms() + lease_ms)
redis.call('ZADD', prefix .. 'sealed', now_ms() + lease_ms, batch)
return redis.call('GET', prefix .. 'batch:' .. batch)
"""
)

# Give a batch back: somebody will come for it after a while, the rescue only later still.
RELEASE = (
    NOW
    + """
local prefix, batch, delay_ms, grace_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('HDEL', prefix .. 'batch:' .. batch .. ':about', 'leased_until_ms')
redis.call('ZADD', prefix .. 'sealed', 'XX', now_ms() + delay_ms + grace_ms, batch)
return 1
"""
)

# Forget a batch that is written. Answers 1 for whoever did it first.
DISCARD = """
local prefix, batch = ARGV[1], ARGV[2]
if redis.call('ZREM', prefix .. 'sealed', batch) == 0 then
    return 0
end
redis.call('DECRBY', prefix .. 'queued_bytes', redis.call('STRLEN', prefix .. 'batch:' .. batch))
redis.call('DEL', prefix .. 'batch:' .. batch, prefix .. 'batch:' .. batch .. ':about')
return 1
"""

# Hand out the sealed batches that nobody is at work on. Answers their ids.
RESCUE = (
    NOW
    + """
local prefix, most, grace_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local batches = redis.call('ZRANGEBYSCORE', prefix .. 'sealed', '-inf', now_ms(), 'LIMIT', 0, most)
for _, batch in ipairs(batches) do
    redis.call('ZADD', prefix .. 'sealed', now_ms() + grace_ms, batch)
end
return batches
"""
)


class QueueUnavailable(Exception):
    """Redis is away or the queue is full: the same request may be taken later."""


@dataclass(frozen=True)
class QueueDepth:
    """What waits: sealed batches, and the bytes of them and of the open ones."""

    sealed_batches: int
    queued_bytes: int


class OpenBatch:
    """A receiver's side of the queue; the batch itself lives in Redis, under the receiver's name."""

    def __init__(self, client: redis.asyncio.Redis, receiver: str) -> None:
        self._offer = client.register_script(OFFER)
        self._seal_aged = client.register_script(SEAL_AGED)
        self._receiver = receiver

    async def offer(self, *, frame: bytes, digest: bytes, spans: int, raw_bytes: int, batch_id: str) -> str:
        """Append a frame unless the same request was taken before; return `batch_id` if that sealed the batch, else ''.

        Raises QueueUnavailable.
        """
        arguments: list[str | bytes | int] = [
            PREFIX, self._receiver, batch_id, digest.hex(), frame, spans, raw_bytes,
            settings.QUEUE_MAX_BYTES, settings.BATCH_MAX_SPANS, settings.BATCH_MAX_BYTES, SEEN_SECONDS, SEALED_GRACE_MS,
        ]  # fmt: skip
        try:
            outcome, sealed = cast(tuple[int, bytes], await self._offer(args=arguments))
        except redis.RedisError as error:
            raise QueueUnavailable("The queue is not reachable. Send the same request again.") from error
        if outcome == FULL:
            raise QueueUnavailable("The queue is full. Send the same request again, later.")
        return sealed.decode()

    async def seal(self, *, batch_id: str, min_age_ms: int) -> bool:
        """Seal the open batch as `batch_id` if it is at least so old; tell whether it was. Raises QueueUnavailable."""
        try:
            return bool(await self._seal_aged(args=[PREFIX, self._receiver, batch_id, min_age_ms, SEALED_GRACE_MS]))
        except redis.RedisError as error:
            raise QueueUnavailable("The queue is not reachable.") from error


class SealedBatches:
    """The writers' side of the queue. Every method raises redis.RedisError when Redis is away."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._claim = client.register_script(CLAIM)
        self._release = client.register_script(RELEASE)
        self._discard = client.register_script(DISCARD)
        self._rescue = client.register_script(RESCUE)
        self._seal_aged = client.register_script(SEAL_AGED)

    def claim(self, batch_id: str) -> bytes | None:
        """Take a batch for LEASE_MS and return its bytes; None when it is written or somebody else has it."""
        return cast(bytes | None, self._claim(args=[PREFIX, batch_id, LEASE_MS]))

    def release(self, batch_id: str, *, delay_ms: int) -> None:
        """Give a claimed batch back, to be claimed again in about `delay_ms`."""
        self._release(args=[PREFIX, batch_id, delay_ms, SEALED_GRACE_MS])

    def discard(self, batch_id: str) -> bool:
        """Forget a batch that is written; tell whether it was still there."""
        return bool(self._discard(args=[PREFIX, batch_id]))

    def open_receivers(self) -> Sequence[str]:
        """Return the receivers that have an open batch."""
        return [name.decode() for name in cast(list[bytes], self._client.zrange(f"{PREFIX}open", 0, -1))]

    def seal(self, receiver: str, *, batch_id: str, min_age_ms: int) -> bool:
        """Seal the open batch of a receiver that may have died; tell whether there was one of that age."""
        return bool(self._seal_aged(args=[PREFIX, receiver, batch_id, min_age_ms, SEALED_GRACE_MS]))

    def rescue(self, *, most: int) -> Sequence[str]:
        """Return up to `most` batches that nobody is at work on, each at most once in SEALED_GRACE_MS."""
        return [name.decode() for name in cast(list[bytes], self._rescue(args=[PREFIX, most, SEALED_GRACE_MS]))]

    def depth(self) -> QueueDepth:
        """Return what waits."""
        queued_bytes = cast(bytes | None, self._client.get(f"{PREFIX}queued_bytes"))
        return QueueDepth(sealed_batches=self._client.zcard(f"{PREFIX}sealed"), queued_bytes=int(queued_bytes or 0))


def connect() -> redis.Redis:
    """Return a pooled client of the server that REDIS_URL names."""
    return redis.Redis.from_url(settings.REDIS_URL, **_options(Retry(NoBackoff(), 1)))


def connect_async() -> redis.asyncio.Redis:
    """Return an asyncio client of the server that REDIS_URL names; offers beyond its connections wait for one.

    It tries twice, at once: the offer of a request can be repeated, for its digest is remembered with it.
    """
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.REDIS_URL,
        max_connections=RECEIVER_CONNECTIONS,
        timeout=SOCKET_TIMEOUT_SECONDS,
        **_options(redis.asyncio.retry.Retry(NoBackoff(), 1)),
    )
    return redis.asyncio.Redis.from_pool(pool)


def _options(retry: object) -> dict[str, Any]:
    return {
        "socket_timeout": SOCKET_TIMEOUT_SECONDS,
        "socket_connect_timeout": SOCKET_TIMEOUT_SECONDS,
        "retry": retry,
    }
