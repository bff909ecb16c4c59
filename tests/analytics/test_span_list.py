"""GET /spans: spans of any trace, by what each itself is, in the places that they have in their traces."""

import os
import time
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse

from analytics.queries import span_places, spans as span_queries
from analytics.times import format_time
from analytics.views import spans as span_views
from tests.analytics.conftest import Get, register, wrong
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, OK, SECOND_NS, gpu, request, span

# A span that names no GPU is looked up by its sender in the registry.
pytestmark = pytest.mark.django_db

START = time.time_ns() - 600 * SECOND_NS
CHAT, IMAGE = b"\xaa" * 16, b"\xbb" * 16
ROOT, MIDDLE, ALONE = b"\x01" * 8, b"\x02" * 8, b"\x03" * 8


@pytest.fixture
def two(ingest: Ingest) -> None:
    """Store chat → (queue, generate → prefill), over two batches, and image alone, which begins between them."""
    ingest(
        request(
            span("chat", trace_id=CHAT, span_id=ROOT, start_ns=START, duration_ns=100 * MILLISECOND_NS, status=OK),
            span("queue", trace_id=CHAT, parent_span_id=ROOT, start_ns=START + 10, duration_ns=10),
            resource={"service.name": "gateway", "deployment.environment.name": "prod", "zone": "a"},
        ),
        request(
            span(
                "image",
                trace_id=IMAGE,
                span_id=ALONE,
                start_ns=START + 15,
                duration_ns=5 * SECOND_NS,
                attributes={
                    "gen_ai.request.model": "sdxl",
                    "cost.usd": 0.5,
                    "tier": "gold",
                    **gpu(0, resource_uuid="MIG-9"),
                },
                status=ERROR,
                message="CUDA out of memory",
            ),
            resource={"service.name": "painter"},
        ),
    )
    ingest(
        request(
            span(
                "prefill",
                trace_id=CHAT,
                parent_span_id=MIDDLE,
                start_ns=START + 30,
                duration_ns=MILLISECOND_NS,
                attributes={"gen_ai.request.model": "llama", "cost.usd": 0.25},
            ),
            span(
                "generate",
                trace_id=CHAT,
                span_id=MIDDLE,
                parent_span_id=ROOT,
                start_ns=START + 20,
                duration_ns=50 * MILLISECOND_NS,
                attributes={
                    "gen_ai.request.model": "llama",
                    "tier": "gold",
                    **gpu(0, resource_uuid="MIG-1", physical_uuid="GPU-1", node_id="node-1"),
                },
            ),
            resource={"service.name": "engine", "deployment.environment.name": "prod", "zone": "b"},
        )
    )


NEWEST_FIRST = ["prefill", "generate", "image", "queue", "chat"]


def names(answer: dict[str, Any]) -> list[str]:
    return [one["name"] for one in answer["spans"]]


def by_cursor(get: Get, limit: int, **parameters: object) -> list[dict[str, Any]]:
    """Return the spans of all pages, one after the other."""
    spans: list[dict[str, Any]] = []
    page: dict[str, Any] = get("/spans", parameters, limit=limit)
    while page["next"]:
        assert len(page["spans"]) == limit
        spans += page["spans"]
        page = get("/spans", parameters, limit=limit, cursor=page["next"])
        assert page["offset"] == len(spans)
    spans += page["spans"]
    return spans


@pytest.mark.usefixtures("two")
def test_spans_of_all_traces_come_newest_first(get: Get) -> None:
    answer = get("/spans")
    assert names(answer) == NEWEST_FIRST
    assert {key: answer[key] for key in ("total", "limit", "offset", "next")} == {
        "total": 5,
        "limit": 50,
        "offset": 0,
        "next": None,
    }


@pytest.mark.usefixtures("two")
def test_a_span_is_as_its_trace_shows_it_and_says_which_that_is(get: Get) -> None:
    for trace in (CHAT, IMAGE):
        expected = {one["span_id"]: one for one in get(f"/traces/{trace.hex()}/spans")["spans"]}
        shown = {one["span_id"]: one for one in get("/spans")["spans"] if one["trace_id"] == trace.hex()}
        assert [one.pop("trace_id") for one in shown.values()] == [trace.hex()] * len(expected)
        assert shown == expected


@pytest.mark.usefixtures("two")
def test_depth_and_self_time_are_of_the_whole_tree_whatever_is_shown_of_it(get: Get) -> None:
    def place(**parameters: object) -> tuple[int, float]:
        (one,) = get("/spans", parameters)["spans"]
        return one["depth"], one["self_time_ms"]

    assert place(name="prefill") == (2, 1.0)
    assert place(name="generate") == (1, 49.0)
    assert place(name="chat") == (0, 50 - 10 / 1e6)
    assert place(limit=1, offset=3) == (1, 10 / 1e6)


@pytest.mark.usefixtures("two")
def test_filters_choose_spans_that_satisfy_all_of_them(get: Get, subtests: pytest.Subtests) -> None:
    table: list[tuple[dict[str, object], list[str]]] = [
        ({"service_name": "gateway"}, ["queue", "chat"]),
        ({"environment": "prod"}, ["prefill", "generate", "queue", "chat"]),
        ({"name": "image"}, ["image"]),
        ({"model_name": "llama"}, ["prefill", "generate"]),
        ({"resource_uuid": "MIG-1"}, ["generate"]),
        ({"physical_uuid": "GPU-1"}, ["generate"]),
        ({"node_id": "node-1"}, ["generate"]),
        ({"attr.tier": "gold"}, ["generate", "image"]),
        ({"attr.zone": "a"}, ["queue", "chat"]),
        ({"status": "ok"}, ["chat"]),
        ({"status": "error"}, ["image"]),
        ({"status": "unset"}, ["prefill", "generate", "queue"]),
        ({"min_duration_ms": 50}, ["generate", "image", "chat"]),
        ({"max_duration_ms": 1}, ["prefill", "queue"]),
        ({"min_duration_ms": 1, "max_duration_ms": 50}, ["prefill", "generate"]),
        ({"start": format_time(START + 15)}, ["prefill", "generate", "image"]),
        ({"end": format_time(START + 15)}, ["queue", "chat"]),
        ({"start": format_time(START + 10), "end": format_time(START + 20)}, ["image", "queue"]),
        ({"attr.tier": "gold", "model_name": "llama", "environment": "prod", "min_duration_ms": 2}, ["generate"]),
        ({"attr.tier": "gold", "attr.zone": "a"}, []),
        ({"service_name": "gateway", "model_name": "llama"}, []),
        ({"status": "error", "service_name": "gateway"}, []),
        ({"service_name": "nobody"}, []),
    ]
    for parameters, expected in table:
        with subtests.test(parameters=parameters):
            answer = get("/spans", parameters)
            assert (names(answer), answer["total"]) == (expected, len(expected))


@pytest.mark.usefixtures("two")
def test_a_gpu_that_only_the_registry_knows_to_be_there_is_found(clickhouse: ClickHouse, get: Get) -> None:
    register(clickhouse, resource_uuid="MIG-9", physical_uuid="GPU-9", node_id="node-9")
    assert names(get("/spans", physical_uuid="GPU-9")) == names(get("/spans", node_id="node-9")) == ["image"]


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("start_time", NEWEST_FIRST[::-1]),
        ("duration_ms", ["queue", "prefill", "generate", "chat", "image"]),
        ("cost_usd", ["chat", "queue", "generate", "prefill", "image"]),  # a cost that nobody sent is below every cost
    ],
)
def test_each_order_is_paged_by_cursor_and_by_offset(get: Get, order: str, expected: list[str]) -> None:
    for order_by, wanted in ((order, expected), (f"-{order}", expected[::-1])):
        assert names(get("/spans", order_by=order_by)) == wanted
        assert [one["name"] for one in by_cursor(get, 2, order_by=order_by)] == wanted
        assert names(get("/spans", order_by=order_by, limit=2, offset=1)) == wanted[1:3]
    past = get("/spans", order_by=order, offset=5)
    assert (past["spans"], past["total"], past["next"]) == ([], 5, None)


@pytest.mark.usefixtures("two")
def test_a_cursor_goes_on_after_its_span_though_newer_ones_arrive(ingest: Ingest, get: Get) -> None:
    first = get("/spans", limit=2)
    ingest(request(span("new"), span("older", start_ns=START - 1)))
    second = get("/spans", limit=10, cursor=first["next"])
    assert names(first) + names(second) == [*NEWEST_FIRST, "older"]
    assert second["total"] == 7


@pytest.mark.parametrize("order", ["start_time", "-start_time", "duration_ms", "-duration_ms", "cost_usd", "-cost_usd"])
def test_spans_that_were_sent_twice_are_each_shown_once(ingest: Ingest, get: Get, order: str) -> None:
    twin = span("twin", trace_id=CHAT, span_id=ROOT, start_ns=START, duration_ns=1000)
    variants = [
        span(
            f"twin {number % 2}",
            trace_id=CHAT,
            span_id=ROOT,
            start_ns=START,
            duration_ns=1000,
            attributes={"number": number, **({"cost.usd": number} if number > 2 else {})},
        )
        for number in range(5)
    ]
    others = [span("other", trace_id=IMAGE, start_ns=START + at, duration_ns=1000 + at) for at in (-1, 1)]
    ingest(request(twin, *variants[:3], *others))
    ingest(request(*variants[3:]))
    numbers = [None, None, None, 0, 1, 2, 3, 4]

    def shown(spans: list[dict[str, Any]]) -> list[int | None]:
        return sorted((one["attributes"].get("number") for one in spans), key=lambda at: -1 if at is None else at)

    for limit in (1, 2, 3, 5, 8):
        assert shown(by_cursor(get, limit, order_by=order)) == numbers
        pages = [get("/spans", order_by=order, limit=limit, offset=at)["spans"] for at in range(0, 8, limit)]
        assert shown([one for page in pages for one in page]) == numbers


@pytest.mark.usefixtures("two")
def test_a_cursor_belongs_to_its_filters_and_its_order(get: Get) -> None:
    cursor = get("/spans", limit=1)["next"]
    for other in ({"order_by": "duration_ms"}, {"status": "error"}, {"attr.tier": "gold"}):
        assert wrong(get("/spans", other, cursor=cursor, status=400)) == {"cursor"}


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 0},
        {"limit": 1001},
        {"status": "failed"},
        {"order_by": "span_count"},
        {"start": "yesterday"},
        {"min_duration_ms": -1},
        {"cursor": "x"},
        {"attr.": "x"},
        {"trace_id": CHAT.hex()},
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(get: Get, parameters: dict[str, object]) -> None:
    assert wrong(get("/spans", parameters, status=400)) == parameters.keys()


@pytest.mark.usefixtures("two")
def test_a_range_that_ends_before_it_starts_is_a_400(get: Get) -> None:
    answer = get("/spans", start=format_time(START), end=format_time(START - 1), status=400)
    assert wrong(answer) == {"end"}


def test_without_spans_there_are_none(clickhouse: ClickHouse, get: Get) -> None:  # noqa: ARG001  emptied
    assert get("/spans") == {"spans": [], "total": 0, "limit": 50, "offset": 0, "next": None}


@pytest.mark.usefixtures("two")
def test_the_traces_of_a_page_are_read_in_portions_that_change_nothing(
    get: Get, queries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    get("/spans")  # the resources' attributes are known after it
    queries.clear()
    whole = get("/spans")
    in_one = len(queries)
    monkeypatch.setattr(span_places, "PLACES_AT_ONCE", 2)
    assert get("/spans") == whole
    assert len(queries) == 2 * in_one + 1


@pytest.mark.usefixtures("two")
def test_in_a_trace_of_too_many_spans_nobody_says_where_one_stands(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_places, "MAX_SPANS", 3)
    shown = {one["name"]: (one["depth"], one["self_time_ms"]) for one in get("/spans")["spans"]}
    assert shown.pop("image") == (0, 5000.0)
    assert shown == dict.fromkeys(("prefill", "generate", "queue", "chat"), (None, None))


@pytest.mark.usefixtures("two")
def test_a_page_beyond_a_bound_is_a_422_that_says_what_to_do(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, bound in ((span_places, "MAX_PLACES"), (span_queries, "MAX_ANSWER_BYTES")):
        with monkeypatch.context() as patch:
            patch.setattr(module, bound, 4)
            (error,) = get("/spans", status=422)["errors"]
            assert (error["code"], error["detail"]) == ("query_too_large", span_views.TRACES_TOO_LARGE)
    assert len(get("/spans")["spans"]) == 5


@pytest.mark.usefixtures("two")
def test_a_page_takes_five_queries_and_a_sixth_for_attributes(ingest: Ingest, get: Get, queries: list[str]) -> None:
    def count(**parameters: object) -> int:
        queries.clear()
        get("/spans", parameters)
        return len(queries)

    get("/spans")  # the resources' attributes are known after it
    assert count(name="chat") == 5
    ingest(request(*(span("chat", trace_id=os.urandom(16)) for _ in range(30)), resource={"service.name": "gateway"}))
    get("/spans")
    assert count(name="chat", order_by="-duration_ms", limit=20) == 5
    assert count(**{"attr.zone": "a"}) == 6
    assert count(name="nobody") == 1
