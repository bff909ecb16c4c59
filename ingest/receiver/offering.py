"""What both transports do with a request: examine it, append what is good to the queue, and only then answer."""

import asyncio
import contextlib
import logging
import time
import uuid

from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from axonize.error_text import told
from axonize.metrics.receiving import SPANS_RECEIVED
from ingest import faults
from ingest.intake import Verdict, examine
from ingest.queue import OpenBatch, connect_async
from ingest.receiver.request_line import RequestLine
from ingest.refusals import QueueUnavailable
from ingest.retention import days_accepted
from ingest.tasks import new_batch_id, write_batch
from registry.keys import Identity

logger = logging.getLogger(__name__)

# For how long nothing is read after the queue took something no more: refusing must not cost what would empty it.
CLOSED_SECONDS = 0.1


class Offering:
    """A receiver's open batch and the timer that seals it."""

    def __init__(self) -> None:
        self._closed_because = QueueUnavailable("")
        self._closed_until_s = 0.0
        self._redis = connect_async()
        self._open_batch = OpenBatch(self._redis, receiver=uuid.uuid4().hex)
        self._announcements: set[asyncio.Task[None]] = set()

    async def export(self, body: bytes, *, identity: Identity, line: RequestLine) -> ExportTraceServiceResponse:
        """Take one ExportTraceServiceRequest and return the answer that OTLP wants ("Full Success", "Partial Success").

        When it returns, the accepted spans are in Redis, and `line` says in which batch. Raises MalformedRequest,
        QueueUnavailable, RateExceeded.
        """
        line.size_bytes = len(body)
        line.verdict = verdict = examine(
            body,
            tenant=identity.tenant,
            now_ns=time.time_ns(),
            retention_days=days_accepted(identity.retention_days),
        )
        del body  # it may be large, and the queue may take its time
        if verdict.frame:
            line.batch_id = await self._append(verdict, identity, line.request_id)
        SPANS_RECEIVED.inc(verdict.accepted_spans + verdict.rejected_spans)
        response = ExportTraceServiceResponse()
        if verdict.rejected_spans:
            faults.count(verdict.faults)
            response.partial_success.rejected_spans = verdict.rejected_spans
            response.partial_success.error_message = verdict.message
        return response

    def require_open(self) -> None:
        """Refuse what nobody has read yet, if the queue refused or was away a moment ago. Raises QueueUnavailable."""
        if time.monotonic() < self._closed_until_s:
            raise type(self._closed_because)(str(self._closed_because))

    async def seal_by_age(self, stop: asyncio.Event) -> None:
        """Seal the open batch whenever it is old enough, until told to stop.

        It is told and not cancelled, for a cancellation that comes in the midst of a call may be lost in the client of
        Redis.
        """
        waits = False
        while not await _set_within(stop, settings.BATCH_MAX_AGE_MS / 1000 / 4):
            try:
                await self._seal(min_age_ms=settings.BATCH_MAX_AGE_MS)
            except QueueUnavailable as error:
                if not waits:
                    logger.warning("%s The open batch waits.", error)
                waits = True
            else:
                if waits:
                    logger.info("The queue is reachable again.")
                waits = False

    async def close(self) -> None:
        """Seal what is open, let the announcements go out, and leave Redis."""
        try:
            await self._seal(min_age_ms=0)
        except QueueUnavailable as error:
            logger.warning("%s The open batch is left to the rescue.", error)
        if self._announcements:
            await asyncio.wait(self._announcements)
        await self._redis.aclose()

    async def _append(self, verdict: Verdict, identity: Identity, request_id: str) -> str:
        """Return the batch that the spans are in."""
        try:
            outcome = await self._open_batch.offer(
                frame=verdict.frame,
                digest=verdict.digest,
                spans=verdict.accepted_spans,
                raw_bytes=verdict.raw_bytes,
                values=verdict.values,
                batch_id=new_batch_id(),
                key_id=identity.key_id,
                spans_per_second=spans_per_second(identity),
                request_id=request_id,
            )
        except QueueUnavailable as error:
            self._closed_because, self._closed_until_s = error, time.monotonic() + CLOSED_SECONDS
            raise
        if outcome.is_sealed:
            self._announce(outcome.batch_id)
        return outcome.batch_id

    async def _seal(self, *, min_age_ms: int) -> None:
        batch_id = await self._open_batch.seal(min_age_ms=min_age_ms)
        if batch_id:
            self._announce(batch_id)

    def _announce(self, batch_id: str) -> None:
        """Hand a sealed batch to the workers, beside the answers; the rescue mends what fails here."""

        async def send() -> None:
            try:
                await asyncio.to_thread(write_batch.apply_async, (batch_id,), retry=False)
            except write_batch.OperationalError as error:
                logger.warning("Batch %s is sealed but no worker is told, the rescue will: %s", batch_id, told(error))

        task = asyncio.create_task(send())
        self._announcements.add(task)
        task.add_done_callback(self._announcements.discard)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


def spans_per_second(identity: Identity) -> int:
    """Return what a sender may send; 0 is no limit. Who needs no key has none."""
    if not identity.key_id:
        return 0
    limit = identity.ingest_spans_per_second
    return settings.SPANS_PER_SECOND if limit is None else limit
