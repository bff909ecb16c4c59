"""The queue's promises: appended once, fixed when sealed, owned by one writer, bounded."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest.offers import Outcome
from ingest.queue import BATCH_MAX_VALUES, OpenBatch, QueueDepth, SealedBatches, connect, connect_async
from ingest.refusals import QueueUnavailable


@pytest.fixture
def sealed(queue: redis.Redis) -> SealedBatches:  # noqa: ARG001  emptied
    return SealedBatches(connect())


def offer(*frames: bytes, receiver: str = "a", spans: int = 1, values: int = 1, batch_id: str = "b1") -> list[str]:
    """Offer frames, each its own digest, and return which batches that sealed."""

    async def run() -> list[str]:
        async with connect_async() as client:
            batch = OpenBatch(client, receiver)
            outcomes = [
                await batch.offer(
                    frame=frame, digest=frame, spans=spans, raw_bytes=len(frame), values=values, batch_id=batch_id
                )
                for frame in frames
            ]
        return [outcome.batch_id if outcome.is_sealed else "" for outcome in outcomes]

    return asyncio.run(run())


def seal(receiver: str = "a", *, min_age_ms: int = 0) -> str:
    async def run() -> str:
        async with connect_async() as client:
            return await OpenBatch(client, receiver).seal(min_age_ms=min_age_ms)

    return asyncio.run(run())


def test_a_sealed_batch_holds_the_frames_in_their_order(sealed: SealedBatches) -> None:
    offer(b"one ", b"two ", b"three")
    assert seal() == "b1"
    assert sealed.claim("b1") == b"one two three"


def test_a_frame_that_was_taken_before_is_not_appended_again(sealed: SealedBatches) -> None:
    offer(b"one", b"two", b"one")
    seal()
    offer(b"two", b"three", batch_id="b2")
    seal()
    assert (sealed.claim("b1"), sealed.claim("b2")) == (b"onetwo", b"three")


def test_what_comes_after_the_sealing_is_another_batch(sealed: SealedBatches) -> None:
    offer(b"one")
    assert seal() == "b1"
    offer(b"two", batch_id="b2")
    assert seal() == "b2"
    assert seal() == ""
    assert (sealed.claim("b1"), sealed.claim("b2")) == (b"one", b"two")


def test_a_batch_is_sealed_when_it_has_its_spans(sealed: SealedBatches, settings: Settings) -> None:
    settings.BATCH_MAX_SPANS = 10
    assert offer(b"one", b"two", spans=5, batch_id="b1") == ["", "b1"]
    assert sealed.claim("b1") == b"onetwo"


def test_a_batch_is_sealed_when_it_has_its_bytes(sealed: SealedBatches, settings: Settings) -> None:
    settings.BATCH_MAX_BYTES = 6
    assert offer(b"one", b"two", batch_id="b1") == ["", "b1"]
    assert sealed.claim("b1") == b"onetwo"


def test_a_batch_is_sealed_when_it_has_its_attributes_events_and_links(sealed: SealedBatches) -> None:
    assert offer(b"one", b"two", values=BATCH_MAX_VALUES // 2, batch_id="b1") == ["", "b1"]
    assert sealed.claim("b1") == b"onetwo"


def test_a_batch_is_sealed_only_when_it_is_old_enough(sealed: SealedBatches) -> None:
    offer(b"one")
    assert not seal(min_age_ms=60_000)
    assert not sealed.seal("a", batch_id="unnamed", min_age_ms=60_000)
    assert sealed.seal("a", batch_id="unnamed", min_age_ms=0) == "b1"


def test_receivers_do_not_share_a_batch(sealed: SealedBatches) -> None:
    offer(b"one", receiver="a")
    offer(b"two", receiver="b")
    assert sorted(sealed.open_receivers()) == ["a", "b"]
    assert seal("a")
    assert sealed.open_receivers() == ["b"]
    assert sealed.claim("b1") == b"one"


def test_one_writer_has_a_batch_at_a_time(sealed: SealedBatches) -> None:
    offer(b"one")
    seal()
    assert sealed.claim("b1") == b"one"
    assert sealed.claim("b1") is None
    sealed.release("b1", delay_ms=0)
    assert sealed.claim("b1") == b"one"


def test_a_lease_ends_with_its_time(sealed: SealedBatches, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(b"one")
    seal()
    monkeypatch.setattr("ingest.queue.LEASE_MS", 0)
    assert sealed.claim("b1") == b"one"
    assert sealed.claim("b1") == b"one"


def test_a_discarded_batch_is_gone_and_its_bytes_are_free(sealed: SealedBatches, queue: redis.Redis) -> None:
    offer(b"one", b"two")
    assert sealed.depth() == QueueDepth(sealed_batches=0, queued_bytes=6)
    seal()
    assert sealed.depth() == QueueDepth(sealed_batches=1, queued_bytes=6)
    assert sealed.discard("b1")
    assert not sealed.discard("b1")
    assert sealed.claim("b1") is None
    assert sealed.depth() == QueueDepth(sealed_batches=0, queued_bytes=0)
    assert {key for key in queue.keys("axonize:*") if b":seen:" not in key} == {b"axonize:queued_bytes"}


def test_only_what_nobody_is_at_work_on_is_rescued(sealed: SealedBatches, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(b"one", batch_id="fresh")
    seal()
    monkeypatch.setattr("ingest.queue.SEALED_GRACE_MS", 0)
    offer(b"two", batch_id="lost")
    seal()
    monkeypatch.undo()
    assert sealed.rescue(most=10) == ["lost"]
    assert sealed.rescue(most=10) == []


def test_a_rescue_takes_no_more_than_it_was_told(sealed: SealedBatches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.queue.SEALED_GRACE_MS", 0)
    for number in range(3):
        offer(b"frame %d" % number, batch_id=f"b{number}")
        seal()
    assert len(sealed.rescue(most=2)) == 2


def refused(frame: bytes) -> bool:
    try:
        offer(frame)
    except QueueUnavailable:
        return True
    return False


def test_a_full_queue_takes_nothing_until_a_batch_is_written(sealed: SealedBatches, settings: Settings) -> None:
    settings.QUEUE_MAX_BYTES = 10
    assert not refused(b"12345678")
    assert refused(b"abc")
    seal()
    assert refused(b"abc")
    sealed.discard("b1")
    assert not refused(b"abc")


def test_without_redis_the_queue_is_unavailable(settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    assert refused(b"one")
    with pytest.raises(QueueUnavailable):
        seal()


def test_concurrent_offers_are_all_kept_once(sealed: SealedBatches) -> None:
    async def run() -> None:
        async with connect_async() as client:
            batches = [OpenBatch(client, receiver) for receiver in ("a", "b")]
            offers: list[Coroutine[Any, Any, Outcome]] = [
                batch.offer(
                    frame=b"%03d" % number, digest=b"%03d" % number, spans=1, raw_bytes=3, values=1, batch_id=name
                )
                for number in range(200)
                for batch, name in zip(batches, ("b1", "b2"), strict=True)
            ]
            await asyncio.gather(*offers)

    asyncio.run(run())
    seal("a")
    seal("b")
    stored = (sealed.claim("b1") or b"") + (sealed.claim("b2") or b"")
    assert sorted(stored[at : at + 3] for at in range(0, len(stored), 3)) == [b"%03d" % number for number in range(200)]
