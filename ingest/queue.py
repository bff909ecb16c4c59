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

from axonize.metrics.receiving import DUPLICATE_REQUESTS, DUPLICATE_SPANS
from ingest.offers import Offer, Offers, Outcome
from ingest.queue_steps import CLAIM, DISCARD, FULL, OFFER, RELEASE, RESCUE, SEAL_AGED, TAKEN_BEFORE, TOO_FAST, WAITS
from ingest.refusals import QueueFull, QueueUnavailable, RateExceeded

PREFIX = "axonize:"
SEEN_SECONDS = 600  # how long a request's digest is remembered: longer than any client goes on retrying
SEALED_GRACE_MS = 30_000  # how long after its sealing a batch is taken to be on its way to a worker
LEASE_MS = 60_000  # how long a writer has a batch for itself: longer than WRITE_TIMEOUT_SECONDS
SOCKET_TIMEOUT_SECONDS = 5
PROBE_TIMEOUT_SECONDS = 2
FULL_SHARE = 63 / 64  # what is free beyond is less than many a request takes
RECEIVER_CONNECTIONS = 2  # one for offers and one for sealing
# Attributes, events and links of a batch: with BATCH_MAX_SPANS and BATCH_MAX_BYTES what bounds the memory of an insert.
BATCH_MAX_VALUES = 2_500_000
REQUEST_IDS_MAX = 50  # that a batch keeps; with ids of 64 characters a writer's line still goes out in one piece
RATE_BURST_MS = 5_000  # a key may be so far ahead of its rate: batches come in bursts


@dataclass(frozen=True)
class QueueDepth:
    """What waits: sealed batches, and the bytes of them and of the open ones."""

    sealed_batches: int
    queued_bytes: int


@dataclass(frozen=True)
class QueueWaits:
    """For how long, in milliseconds, the oldest sealed batch and the oldest open one wait; 0 where there is none."""

    sealed_ms: int
    open_ms: int


class OpenBatch:
    """A receiver's side of the queue; the batch itself lives in Redis, under the receiver's name."""

    def __init__(self, client: redis.asyncio.Redis, receiver: str) -> None:
        self._offer = client.register_script(OFFER)
        self._seal_aged = client.register_script(SEAL_AGED)
        self._receiver = receiver
        self._offers = Offers(self._append)

    async def offer(
        self,
        *,
        frame: bytes,
        digest: bytes,
        spans: int,
        raw_bytes: int,
        values: int,
        batch_id: str,
        key_id: str = "",
        spans_per_second: int = 0,
        request_id: str = "",
    ) -> Outcome:
        """Append a frame unless the same request was taken before; return to which batch, and whether that is sealed.

        The arguments are those of ingest.offers.Offer.

        Raises:
            QueueUnavailable: nothing was appended, or nobody knows; the same request may be offered again.
            RateExceeded: nothing was appended.

        """
        offer = Offer(frame, digest, spans, raw_bytes, values, batch_id, key_id, spans_per_second, request_id)
        try:
            outcome = await self._offers.make(offer)
        except redis.RedisError as error:
            raise QueueUnavailable("The queue is not reachable. Send the same request again.") from error
        if outcome.code == FULL:
            raise QueueFull("The queue is full. Send the same request again, later.")
        if outcome.code == TOO_FAST:
            raise RateExceeded(
                f"This API key may send {spans_per_second} spans a second, and sent more. Send the same request later.",
                retry_after_seconds=outcome.wait_ms / 1000,
            )
        if outcome.code == TAKEN_BEFORE:
            DUPLICATE_REQUESTS.inc()
            DUPLICATE_SPANS.inc(spans)
        return outcome

    async def _append(self, offers: Sequence[Offer]) -> Sequence[Outcome]:
        """Make some offers in one step. Raises redis.RedisError."""
        arguments: list[str | bytes | int] = [
            PREFIX, self._receiver, settings.QUEUE_MAX_BYTES, settings.BATCH_MAX_SPANS, settings.BATCH_MAX_BYTES,
            BATCH_MAX_VALUES, SEEN_SECONDS, SEALED_GRACE_MS, RATE_BURST_MS, REQUEST_IDS_MAX,
        ]  # fmt: skip
        for offer in offers:
            arguments += [
                offer.batch_id, offer.digest, offer.frame, offer.spans, offer.raw_bytes, offer.values,
                offer.key_id, offer.spans_per_second, offer.request_id,
            ]  # fmt: skip
        answers = cast(list[tuple[int, bytes, int, int]], await self._offer(args=arguments))
        return [
            Outcome(code, batch_id.decode(), bool(is_sealed), wait_ms) for code, batch_id, is_sealed, wait_ms in answers
        ]

    async def seal(self, *, min_age_ms: int) -> str:
        """Seal the open batch if it is at least so old; return its id, '' if there is none. Raises QueueUnavailable."""
        try:
            arguments: list[str | int] = [PREFIX, self._receiver, "", min_age_ms, SEALED_GRACE_MS]
            return cast(bytes, await self._seal_aged(args=arguments)).decode()
        except redis.RedisError as error:
            raise QueueUnavailable("The queue is not reachable.") from error


@dataclass(frozen=True)
class BatchHistory:
    """How a batch came about: what was appended to it, by which requests, and how often a writer has claimed it.

    `raw_bytes` is as of ingest.offers.Offer, `request_ids` are those of the first REQUEST_IDS_MAX of `requests`.
    """

    spans: int
    raw_bytes: int
    requests: int
    request_ids: Sequence[str]
    attempts: int


class SealedBatches:
    """The writers' side of the queue. Every method raises redis.RedisError when Redis is away."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._claim = client.register_script(CLAIM)
        self._release = client.register_script(RELEASE)
        self._discard = client.register_script(DISCARD)
        self._rescue = client.register_script(RESCUE)
        self._waits = client.register_script(WAITS)
        self._seal_aged = client.register_script(SEAL_AGED)

    def claim(self, batch_id: str) -> bytes | None:
        """Take a batch for LEASE_MS and return its bytes; None when it is written or somebody else has it."""
        return cast(bytes | None, self._claim(args=[PREFIX, batch_id, LEASE_MS]))

    def history(self, batch_id: str) -> BatchHistory:
        """Return how a claimed batch came about."""
        names = ["spans", "raw_bytes", "requests", "attempts", "request_ids"]
        *counts, ids = cast(list[bytes | None], self.client.hmget(f"{PREFIX}batch:{batch_id}:about", names))
        spans, raw_bytes, requests, attempts = (int(count or 0) for count in counts)
        return BatchHistory(spans, raw_bytes, requests, (ids or b"").decode().split(), attempts)

    def release(self, batch_id: str, *, delay_ms: int) -> None:
        """Give a claimed batch back, to be claimed again in about `delay_ms`."""
        self._release(args=[PREFIX, batch_id, delay_ms, SEALED_GRACE_MS])

    def discard(self, batch_id: str) -> bool:
        """Forget a batch that is written; tell whether it was still there."""
        return bool(self._discard(args=[PREFIX, batch_id]))

    def open_receivers(self) -> Sequence[str]:
        """Return the receivers that have an open batch."""
        return [name.decode() for name in cast(list[bytes], self.client.zrange(f"{PREFIX}open", 0, -1))]

    def seal(self, receiver: str, *, batch_id: str, min_age_ms: int) -> str:
        """Seal the open batch of a receiver that may have died; return its id, '' where none has that age.

        A batch of a receiver of an earlier version has no id yet and gets `batch_id`.
        """
        return cast(bytes, self._seal_aged(args=[PREFIX, receiver, batch_id, min_age_ms, SEALED_GRACE_MS])).decode()

    def rescue(self, *, most: int) -> Sequence[str]:
        """Return up to `most` batches that nobody is at work on, each at most once in SEALED_GRACE_MS."""
        return [name.decode() for name in cast(list[bytes], self._rescue(args=[PREFIX, most, SEALED_GRACE_MS]))]

    def depth(self) -> QueueDepth:
        """Return what waits."""
        queued_bytes = cast(bytes | None, self.client.get(f"{PREFIX}queued_bytes"))
        return QueueDepth(sealed_batches=self.client.zcard(f"{PREFIX}sealed"), queued_bytes=int(queued_bytes or 0))

    def waits(self) -> QueueWaits:
        """Return for how long it waits."""
        return QueueWaits(*cast(list[int], self._waits(args=[PREFIX])))


class QueueProbe:
    """Asks whether the queue would take something, on a connection of its own and with little patience."""

    def __init__(self) -> None:
        self._client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, **_options(redis.asyncio.retry.Retry(NoBackoff(), 0), PROBE_TIMEOUT_SECONDS)
        )

    async def has_room(self) -> bool:
        """Tell whether there is room in the queue. Raises redis.RedisError where Redis is away or takes no writes."""
        # Redis refuses it as it would an offer, on a full disk say; otherwise it changes nothing, and logs nothing.
        await self._client.setrange(f"{PREFIX}probe", 0, "")
        queued_bytes = int(await self._client.get(f"{PREFIX}queued_bytes") or 0)
        return queued_bytes <= settings.QUEUE_MAX_BYTES * FULL_SHARE

    async def close(self) -> None:
        await self._client.aclose()


def connect() -> redis.Redis:
    """Return a pooled client of the server that REDIS_URL names."""
    return redis.Redis.from_url(settings.REDIS_URL, **_options(Retry(NoBackoff(), 1)))


def connect_async() -> redis.asyncio.Redis:
    """Return an asyncio client of the server that REDIS_URL names.

    It tries twice, at once: the offer of a request can be repeated, for its digest is remembered with it.
    """
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.REDIS_URL,
        max_connections=RECEIVER_CONNECTIONS,
        timeout=SOCKET_TIMEOUT_SECONDS,
        **_options(redis.asyncio.retry.Retry(NoBackoff(), 1)),
    )
    return redis.asyncio.Redis.from_pool(pool)


def _options(retry: object, timeout_seconds: int = SOCKET_TIMEOUT_SECONDS) -> dict[str, Any]:
    return {"socket_timeout": timeout_seconds, "socket_connect_timeout": timeout_seconds, "retry": retry}
