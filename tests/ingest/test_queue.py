"""The queue's promises: appended once, fixed when sealed, owned by one writer, bounded."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest.offers import Outcome
from ingest.queue import (
    BATCH_MAX_VALUES,
    REQUEST_IDS_MAX,
    BatchHistory,
    OpenBatch,
    QueueDepth,
    SealedBatches,
    connect,
    connect_async,
)
from ingest.refusals import QueueUnavailable
from tests.stored import queued


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
    assert {key for key in queued(queue) if b":seen:" not in key} == {b"axonize:queued_bytes"}


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


def offer_requests(*request_ids: str, batch_id: str = "b1") -> list[Outcome]:
    async def run() -> list[Outcome]:
        async with connect_async() as client:
            batch = OpenBatch(client, "a")
            return [
                await batch.offer(
                    frame=b"frame", digest=f"{batch_id} {number}".encode(), spans=2, raw_bytes=10, values=1,
                    batch_id=batch_id, request_id=request_id,
                )
                for number, request_id in enumerate(request_ids)
            ]  # fmt: skip

    return asyncio.run(run())


def test_a_batch_has_the_id_of_its_first_offer_before_it_is_sealed(sealed: SealedBatches) -> None:
    [first] = offer_requests("r1", batch_id="b1")
    [second] = offer_requests("r2", batch_id="b2")
    assert (first.batch_id, second.batch_id) == ("b1", "b1")
    assert not first.is_sealed
    assert seal() == "b1"
    assert sealed.claim("b1") == b"frameframe"


def test_a_request_that_was_taken_before_is_in_no_batch_that_anybody_knows(sealed: SealedBatches) -> None:
    assert sealed
    offer_requests("r1")
    [again] = offer_requests("r1")
    assert (again.code, again.batch_id) == (0, "")


def test_a_batch_remembers_its_requests_and_how_often_it_was_claimed(sealed: SealedBatches) -> None:
    offer_requests("r1", "r2", "")
    seal()
    for _ in range(2):
        assert sealed.claim("b1")
        sealed.release("b1", delay_ms=0)
    assert sealed.history("b1") == BatchHistory(spans=6, raw_bytes=30, requests=3, request_ids=["r1", "r2"], attempts=2)


def test_of_many_requests_the_first_are_remembered_and_all_are_counted(sealed: SealedBatches) -> None:
    offer_requests(*(f"r{number}" for number in range(REQUEST_IDS_MAX + 10)))
    seal()
    history = sealed.history("b1")
    assert history.request_ids == [f"r{number}" for number in range(REQUEST_IDS_MAX)]
    assert history.requests == REQUEST_IDS_MAX + 10


def test_what_is_remembered_of_requests_counts_as_bytes_of_the_queue_and_goes_with_the_batch(
    sealed: SealedBatches, queue: redis.Redis
) -> None:
    offer_requests("r1", "r" * 64)
    assert sealed.depth().queued_bytes == len(b"frameframe") + len("r1 ") + 65
    seal()
    assert sealed.discard("b1")
    assert sealed.depth() == QueueDepth(sealed_batches=0, queued_bytes=0)
    assert {key for key in queued(queue) if b":seen:" not in key} == {b"axonize:queued_bytes"}


def test_an_open_batch_of_an_earlier_version_gets_its_id_when_it_is_sealed(
    sealed: SealedBatches, queue: redis.Redis
) -> None:
    offer(b"one")
    queue.hdel("axonize:open:a:about", "batch")
    assert sealed.seal("a", batch_id="given", min_age_ms=0) == "given"
    assert sealed.claim("given") == b"one"
