"""Large traces and long attributes: what an answer holds in memory, and what is read for it."""

import os
import time
import tracemalloc
from typing import Any

import pytest
from django.test import Client

from axonize.clickhouse import client as clickhouse_client, json_rows
from tests.analytics.conftest import Get
from tests.conftest import Ingest
from tests.otlp import SECOND_NS, gpu, request, span

# A span that names no GPU is looked up by its sender in the registry.
pytestmark = pytest.mark.django_db

START = time.time_ns() - 600 * SECOND_NS
TRACE = b"\x07" * 16
PATH = f"/api/v1/traces/{TRACE.hex()}"
# An answer is its members, the pieces that they become, and itself; what ClickHouse sent is there beside the members.
COPIES = 6
PLACE_BYTES = 2_000


def store(ingest: Ingest, spans: int, *, levels: bool) -> None:
    """Store a trace whose spans hang one below the other, or ten below each."""
    ids = [number.to_bytes(8) for number in range(1, spans + 1)]
    ingest(
        request(
            *(
                span(
                    trace_id=TRACE,
                    span_id=ids[number],
                    parent_span_id=ids[number - 1 if levels else (number - 1) // 10] if number else b"",
                    start_ns=START + number,
                    attributes={
                        "gen_ai.request.model": "llama",
                        "number": number,
                        "share": number / 7,
                        **gpu(0, resource_uuid=f"MIG-{number % 50}", utilization=number / 100),
                    },
                )
                for number in range(spans)
            )
        )
    )


def peak_and_size(client: Client, path: str) -> tuple[int, int]:
    """Return how many bytes Python held at most while it answered, and how many the answer has."""
    assert client.get(path).status_code == 200  # what is read once is read here
    tracemalloc.start()
    try:
        answer = client.get(path)
        return tracemalloc.get_traced_memory()[1], len(answer.content)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("spans", "levels"), [(10_000, False), (5_000, True)])
def test_a_large_trace_takes_little_more_memory_than_its_answer(
    ingest: Ingest, client: Client, spans: int, levels: bool
) -> None:
    store(ingest, spans, levels=levels)
    peak, size = peak_and_size(client, PATH)
    assert size > 500 * spans
    assert peak < COPIES * size
    peak, _ = peak_and_size(client, f"{PATH}/spans")
    assert peak < PLACE_BYTES * spans


def test_places_and_numbers_of_ten_thousand_spans_are_right_on_every_page(ingest: Ingest, get: Get) -> None:
    store(ingest, 10_000, levels=False)
    depth = {0: 0}
    for number in range(1, 10_000):
        depth[number] = depth[(number - 1) // 10] + 1
    seen: list[int] = []
    page: dict[str, Any] = get(f"/traces/{TRACE.hex()}/spans", limit=1000)
    while True:
        for one in page["spans"]:
            number = one["attributes"]["number"]
            assert one["depth"] == depth[number]
            assert one["gpus"][0]["utilization"] == number / 100
            assert one["attributes"]["share"] == number / 7
            seen.append(number)
        if page["next"] is None:
            break
        page = get(f"/traces/{TRACE.hex()}/spans", limit=1000, cursor=page["next"])
    assert sorted(seen) == list(range(10_000))


LONG = 50_000
LONG_SPANS = 1_000


@pytest.fixture
def long_prompts(ingest: Ingest) -> None:
    """Store a thousand traces of a span with a prompt of 50 KB, 50 MB in all."""
    for begin in range(0, LONG_SPANS, 250):
        ingest(
            request(
                *(
                    span(
                        "generate",
                        trace_id=os.urandom(16),
                        start_ns=START + (begin + number) * 1_000_000,
                        attributes={"prompt": f"{begin + number:06}" + "x" * LONG, "gen_ai.request.model": "llama"},
                    )
                    for number in range(250)
                )
            )
        )


@pytest.fixture
def little_may_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound what each query may read to a third of the prompts: ClickHouse refuses whatever reads more."""
    usual = clickhouse_client.read_settings

    def bounded() -> dict[str, object]:
        return {**usual(), "max_bytes_to_read": LONG * LONG_SPANS // 3, "read_overflow_mode": "throw"}

    monkeypatch.setattr(clickhouse_client, "read_settings", bounded)
    monkeypatch.setattr(json_rows, "read_settings", bounded)


@pytest.mark.usefixtures("long_prompts", "little_may_be_read")
def test_lists_read_no_long_attributes_but_those_of_their_page(get: Get) -> None:
    for order_by in ("-start_time", "duration_ms", "-cost_usd"):
        answer = get("/spans", order_by=order_by, limit=5, model_name="llama")
        assert answer["total"] == LONG_SPANS
        assert [len(one["attributes"]["prompt"]) for one in answer["spans"]] == [LONG + 6] * 5
    newest = get("/spans", limit=5)["spans"]
    assert [one["attributes"]["prompt"][:6] for one in newest] == [f"{number:06}" for number in range(999, 994, -1)]
    for order_by in ("-start_time", "duration_ms"):
        answer = get("/traces", order_by=order_by, limit=5, model_name="llama")
        assert (answer["total"], len(answer["traces"])) == (LONG_SPANS, 5)
    trace_id = newest[0]["trace_id"]
    assert get(f"/traces/{trace_id}")["spans"][0]["attributes"]["prompt"][:6] == "000999"
    (error,) = get("/spans", limit=1000, status=422)["errors"]
    assert error["code"] == "query_too_large", "the bound is one that reading all would meet"
