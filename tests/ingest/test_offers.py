"""Requests that come at the same time share a call to the queue, and each has its own outcome."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from ingest.offers import MOST_BYTES_TOGETHER, MOST_TOGETHER, Offer, Offers, Outcome


def offer(name: str, *, frame: bytes = b"frame") -> Offer:
    return Offer(frame, digest=name.encode(), spans=1, raw_bytes=1, values=1, batch_id=name)


class Queue:
    """A queue that notes what comes together, and answers with the name of each offer."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.fails = False

    async def append(self, offers: Sequence[Offer]) -> list[Outcome]:
        self.calls.append([each.batch_id for each in offers])
        await asyncio.sleep(0)
        if self.fails:
            raise ConnectionError("away")
        return [Outcome(1, each.batch_id, is_sealed=False, wait_ms=0) for each in offers]


def together(*made: Coroutine[Any, Any, Outcome]) -> list[Outcome | BaseException]:
    async def run() -> list[Outcome | BaseException]:
        return await asyncio.gather(*made, return_exceptions=True)

    return asyncio.run(run())


def test_each_offer_has_its_own_outcome_and_those_of_a_moment_share_a_call() -> None:
    queue = Queue()
    offers = Offers(queue.append)
    names = [f"{number}" for number in range(10)]
    outcomes = together(*(offers.make(offer(name)) for name in names))
    assert [each.batch_id for each in outcomes if isinstance(each, Outcome)] == names
    assert queue.calls == [names]


def test_no_call_has_more_than_the_most_and_the_eldest_go_first() -> None:
    queue = Queue()
    offers = Offers(queue.append)
    names = [f"{number}" for number in range(2 * MOST_TOGETHER + 1)]
    together(*(offers.make(offer(name)) for name in names))
    assert [len(call) for call in queue.calls] == [MOST_TOGETHER, MOST_TOGETHER, 1]
    assert [name for call in queue.calls for name in call] == names


def test_large_requests_do_not_share_a_call() -> None:
    queue = Queue()
    offers = Offers(queue.append)
    together(*(offers.make(offer(name, frame=bytes(MOST_BYTES_TOGETHER))) for name in "ab"))
    assert queue.calls == [["a"], ["b"]]


def test_a_call_that_fails_is_told_to_all_that_wait_and_the_next_one_is_tried_again() -> None:
    queue = Queue()
    queue.fails = True
    offers = Offers(queue.append)

    async def run() -> Outcome:
        refused = await asyncio.gather(
            *(offers.make(offer(f"{number}")) for number in range(MOST_TOGETHER + 1)), return_exceptions=True
        )
        assert {type(each) for each in refused} == {ConnectionError}
        queue.fails = False
        return await offers.make(offer("later"))

    assert asyncio.run(run()).batch_id == "later"
    assert len(queue.calls) == 2


def test_a_client_that_has_left_costs_the_others_nothing() -> None:
    queue = Queue()
    offers = Offers(queue.append)

    async def run() -> Outcome:
        leaving = asyncio.create_task(offers.make(offer("leaves")))
        staying = asyncio.create_task(offers.make(offer("stays")))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        return await staying

    assert asyncio.run(run()).batch_id == "stays"
