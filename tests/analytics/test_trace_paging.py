"""The pages of GET /traces while traces arrive, grow and change their places."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analytics.queries.traces import ORDERS
from tests.analytics.conftest import Get
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, SECOND_NS, UNSET, request, span

HOUR_NS = 3600 * SECOND_NS


class Traffic:
    """Traces that arrive in pieces: any piece may be earlier than all before it, longer, failed or dear."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._began_ns = time.time_ns() - HOUR_NS
        self._round = 0
        self.trace_ids: list[bytes] = []

    def arrive(self, new: int) -> None:
        """Write some new traces, and one more span of every third trace that there is."""
        self._round += 1
        grown = self.trace_ids[self._round % 3 :: 3]
        created = [os.urandom(16) for _ in range(new)]
        self._ingest(request(*(self._piece(trace_id, at) for at, trace_id in enumerate([*created, *grown]))))
        self.trace_ids += created

    def _piece(self, trace_id: bytes, at: int) -> Span:
        # a prime number of seconds, so that traces overtake one another in every order
        shift_ns = (at * 7919 + self._round * 104_729) % 3000 * SECOND_NS
        return span(
            trace_id=trace_id,
            start_ns=self._began_ns + shift_ns,
            duration_ns=(at * 31 + self._round) % 97 * MILLISECOND_NS,
            status=ERROR if (at + self._round) % 2 else UNSET,
            attributes={"cost.usd": (at * 13 + self._round) % 29 / 100},
        )


@contextmanager
def arriving(traffic: Traffic) -> Iterator[None]:
    """Write without a pause meanwhile."""
    done = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            while not done.is_set():
                traffic.arrive(2)
        except BaseException as error:
            failures.append(error)
            raise

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join(60)
    assert not failures


@pytest.mark.django_db
@pytest.mark.parametrize("order_by", [f"{sign}{order}" for order in ORDERS for sign in ("", "-")])
def test_pages_show_each_trace_once_however_traces_arrive_and_grow_meanwhile(
    ingest: Ingest, get: Get, order_by: str
) -> None:
    traffic = Traffic(ingest)
    for _ in range(3):
        traffic.arrive(10)
    there_before = {trace_id.hex() for trace_id in traffic.trace_ids}
    with arriving(traffic):
        page = get("/traces", order_by=order_by, limit=3)
        total, found = page["total"], [trace["trace_id"] for trace in page["traces"]]
        while page["next"] is not None:
            page = get("/traces", order_by=order_by, limit=3, cursor=page["next"])
            assert page["total"] == total
            found += [trace["trace_id"] for trace in page["traces"]]
    assert [trace_id for trace_id, times in Counter(found).items() if times > 1] == []
    assert there_before - set(found) == set()
    assert len(found) == total
