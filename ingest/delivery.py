"""One claimed batch on its way into ClickHouse: written whole, or what can't be stored set aside as dead letters.

Bytes that protobuf reads and ClickHouse does not, though they say the same, are written anew first.

A batch's id is the deduplication token of every table, so no part of it is ever written to them under another one.
What is bad is found in a database of its own (ingest.trial). Then, in this order, each step harmless when repeated:
the queue divides the batch, in one step and for good; PostgreSQL takes the letters; ClickHouse takes the rest, under
the batch's own id; the queue forgets the batch.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence

import redis
from django.utils import timezone
from google.protobuf.message import DecodeError

from axonize.clickhouse.errors import ClickHouseError, ClickHouseUnavailable
from axonize.error_text import told
from axonize.metrics.writing import BISECTIONS, DEAD_LETTERS
from ingest import dead_letters, writer
from ingest.dead_letters import Letter
from ingest.frames import Damaged, frames_of, is_cut_short, opened, rewritten, with_only
from ingest.holds import Hold
from ingest.intake import enclose
from ingest.sifting import Part, Refused, frames, sift, spans
from ingest.trial import TrialUndecided, trial_database

logger = logging.getLogger(__name__)

DAMAGED = "DAMAGED_BYTES"
# Codes of passing errors that ClickHouse names for bytes that end too early, too.
ENDED_EARLY_CODES = frozenset({3, 32})  # UNEXPECTED_END_OF_FILE, ATTEMPT_TO_READ_AFTER_EOF


def deliver(client: redis.Redis, batch_id: str, batch: bytes) -> None:
    """Store a claimed batch, all of it in ClickHouse or what ClickHouse refuses for good in PostgreSQL.

    When it returns, the batch may be forgotten. Raises ClickHouseUnavailable, TrialUndecided where the fault is
    ClickHouse's state, django.db.DatabaseError, redis.RedisError, HoldLost.
    """
    hold = Hold(client, batch_id)
    _store_letters(hold, batch_id)
    refusal = _refusal(batch_id, batch)
    if refusal is None:
        return
    plain = _rewritten(batch)
    if plain != batch:
        refusal = _refusal(batch_id, plain)
        if refusal is None:
            return
        batch = plain
    hold.begin()
    BISECTIONS.inc()
    logger.warning("Batch %s is refused, looking for what is bad in it: %s", batch_id, told(refusal))
    rest, letters = _sifted(batch_id, batch, refusal, hold)
    hold.divide(rest=rest, letters=dead_letters.packed(letters, failed_at=timezone.now()))
    _store_letters(hold, batch_id)
    hold.extend()
    error = _refusal(batch_id, rest)
    if error:
        raise TrialUndecided(f"ClickHouse takes the rest in a trial but not in its tables: {told(error)}") from error


def _store_letters(hold: Hold, batch_id: str) -> None:
    """Bring to PostgreSQL what this attempt or an earlier one has set aside."""
    letters = hold.letters()
    if letters:
        count = dead_letters.store(batch_id, letters)
        hold.forget_letters()
        DEAD_LETTERS.inc(count)
        logger.error("Of batch %s, %d dead letters are kept: manage.py dead_letters list", batch_id, count)


def _refusal(batch_id: str, batch: bytes) -> ClickHouseError | None:
    """Write a batch; return why it can't be as it is, None once it is. Raises ClickHouseUnavailable."""
    if not batch:
        return None
    if is_cut_short(batch):  # ClickHouse may take what it can read and not tell of the rest
        return ClickHouseError("The batch ends in bytes that are no whole frame.", name=DAMAGED)
    try:
        writer.write(batch_id=batch_id, frames=batch)
    except ClickHouseUnavailable as error:
        if error.code in ENDED_EARLY_CODES and (_taken_apart(batch)[1] or _rewritten(batch) != batch):
            return error
        raise
    except ClickHouseError as error:
        return error
    return None


def _rewritten(batch: bytes) -> bytes:
    """Return a batch whose requests are written anew, those that can be; the same batch where that changes none."""
    whole_frames, cut_short = frames_of(batch)
    plain = []
    for frame in whole_frames:
        try:
            enclosed = opened(frame)
            request = rewritten(enclosed.request)
        except (Damaged, DecodeError):
            plain.append(frame)
        else:
            plain.append(frame if request == enclosed.request else enclose(request, enclosed.tenant)[0])
    return b"".join(plain) + cut_short


def _sifted(batch_id: str, batch: bytes, refusal: ClickHouseError, hold: Hold) -> tuple[bytes, list[Letter]]:
    """Return what of a refused batch can be written, and letters of all else."""
    parts, letters = _taken_apart(batch)
    good: list[Part] = []
    if parts:
        with trial_database(batch_id, hold) as trial:
            trial.check_control()
            good, refused = sift(parts, trial.refusal)
            trial.check_control()
        letters += _letters_of(refused)
    if not letters:
        raise TrialUndecided(f"ClickHouse takes each part of the batch in a trial, but not the batch: {told(refusal)}")
    return frames(good), letters


def _taken_apart(batch: bytes) -> tuple[list[Part], list[Letter]]:
    """Return the requests of a batch, and letters of the bytes that are none."""
    whole_frames, cut_short = frames_of(batch)
    parts: list[Part] = []
    letters: list[Letter] = []
    for position, frame in enumerate(whole_frames):
        try:
            enclosed = opened(frame)
        except Damaged as error:
            letters.append(Letter("", DAMAGED, str(error), 0, frame))
        else:
            parts.append(Part(position, enclosed.tenant, enclosed.request, range(enclosed.spans), frame))
    if cut_short:
        letters.append(Letter("", DAMAGED, "The batch ends in bytes that are no whole frame.", 0, cut_short))
    return parts, letters


def _letters_of(refused: Iterable[Refused]) -> list[Letter]:
    """Return a letter for each request and reason."""
    alike: dict[tuple[int, str, str], list[Part]] = defaultdict(list)
    for group in refused:
        reason = group.error.summary
        count = spans(group.parts)
        if count > 1:
            reason = f"{reason}. Which of {count} spans is bad is not known; replaying them goes on looking"
        for part in group.parts:
            alike[part.position, group.error.name, reason].append(part)
    return [_letter(alike[key], key[1], key[2]) for key in sorted(alike)]


def _letter(parts: Sequence[Part], error: str, reason: str) -> Letter:
    numbers = {number for part in parts for number in part.numbers}
    body = with_only(parts[0].request, numbers) if numbers else parts[0].request
    return Letter(parts[0].tenant, error, reason, len(numbers), body)
