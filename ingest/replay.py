"""Dead letters offered to the queue again, as requests of their tenant."""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import transaction

from axonize.request_id import current_request_id
from ingest.intake import MalformedRequest, Verdict, examine
from ingest.models import DeadLetter
from ingest.queue import OpenBatch, connect_async
from ingest.refusals import TryLater
from ingest.retention import days_accepted
from ingest.tasks import new_batch_id, write_batch
from registry.models import Tenant

logger = logging.getLogger(__name__)


class ReplayRefused(Exception):
    """The letter stays: it can't be offered as it is."""


@dataclass(frozen=True)
class Outcome:
    """What became of one letter: `refusal` says why it stays, '' when the queue has taken it."""

    letter_id: int
    refusal: str = ""


class _Requeue:
    """The open batch of one replay."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._client = connect_async()
        self._open_batch = OpenBatch(self._client, receiver=f"replay-{uuid.uuid4().hex}")

    def offer(self, letter: DeadLetter, verdict: Verdict) -> None:
        """Append a letter. Raises TryLater."""
        outcome = self._runner.run(
            self._open_batch.offer(
                frame=verdict.frame,
                digest=_digest(letter),
                spans=verdict.accepted_spans,
                raw_bytes=verdict.raw_bytes,
                values=verdict.values,
                batch_id=new_batch_id(),
                request_id=current_request_id(),
            )
        )
        if outcome.is_sealed:
            _announce(outcome.batch_id)

    def seal(self) -> None:
        """Seal what was appended, if anything was, and tell the workers."""
        try:
            batch_id = self._runner.run(self._open_batch.seal(min_age_ms=0))
            if batch_id:
                _announce(batch_id)
        except TryLater as error:
            logger.warning("%s The open batch is left to the rescue.", error)

    def close(self) -> None:
        self.seal()
        self._runner.run(self._client.aclose())
        self._runner.close()


def replay(letter_ids: Iterable[int]) -> Iterator[Outcome]:
    """Offer letters to the queue; each is deleted once the queue has taken it, as a client's request is acknowledged.

    A letter is a request by its place in its batch: offered twice within SEEN_SECONDS it is stored once. One of several
    spans becomes a batch of its own, lest the search for the bad one among them begins among those of all letters. A
    queue that is away or full ends the replay. Iterate to the end, or close it: else the last batch waits for the
    rescue.
    """
    requeue = _Requeue()
    try:
        for letter_id in letter_ids:
            try:
                _replay_one(letter_id, requeue)
            except ReplayRefused as error:
                yield Outcome(letter_id, str(error))
            except TryLater as error:
                yield Outcome(letter_id, str(error))
                break
            else:
                yield Outcome(letter_id)
    finally:
        requeue.close()


def _replay_one(letter_id: int, requeue: _Requeue) -> None:
    """Move a letter into the queue. Raises ReplayRefused, TryLater."""
    with transaction.atomic():
        letter = DeadLetter.objects.select_for_update(skip_locked=True).filter(pk=letter_id).first()
        if letter is None:
            raise ReplayRefused("It is gone, or somebody else is replaying it.")
        verdict = _verdict(letter)
        if letter.spans > 1:
            requeue.seal()
        requeue.offer(letter, verdict)
        if letter.spans > 1:
            requeue.seal()
        letter.delete()


def _verdict(letter: DeadLetter) -> Verdict:
    """Return the intake's verdict on a letter of which it takes every span. Raises ReplayRefused."""
    if not letter.spans:
        raise ReplayRefused("Its bytes can't be decoded, so there are no spans to replay.")
    days = Tenant.objects.filter(slug=letter.tenant).values_list("retention_days", flat=True).first()
    try:
        verdict = examine(
            bytes(letter.body), tenant=letter.tenant, now_ns=time.time_ns(), retention_days=days_accepted(days)
        )
    except MalformedRequest as error:
        raise ReplayRefused(str(error)) from error
    if verdict.rejected_spans or not verdict.frame:
        raise ReplayRefused(verdict.message or "It holds no spans.")
    return verdict


def _digest(letter: DeadLetter) -> bytes:
    """Return what tells this letter from others, and from the client's request, which may have had the same bytes."""
    return hashlib.blake2b(f"dead letter {letter}".encode(), digest_size=16).digest()


def _announce(batch_id: str) -> None:
    try:
        write_batch.apply_async((batch_id,), retry=False)
    except write_batch.OperationalError as error:
        logger.warning("Batch %s is sealed but no worker is told, the rescue will: %s", batch_id, error)
