"""GET /traces/{trace_id}/spans: the flat page."""

import os
import time
from typing import Any

import pytest

from tests.analytics.conftest import Get, wrong
from tests.conftest import Ingest
from tests.otlp import ERROR, SECOND_NS, request, span

# A span that names no GPU is looked up by its sender in the registry.
pytestmark = pytest.mark.django_db

START = time.time_ns() - 600 * SECOND_NS
TRACE = os.urandom(16)
PATH = f"/traces/{TRACE.hex()}/spans"


def names(answer: dict[str, Any]) -> list[str]:
    return [one["name"] for one in answer["spans"]]


@pytest.fixture
def tree(ingest: Ingest) -> None:
    """Store root → (a → (a1, a2), b), and a root alone, of two services and two models."""
    root, a = os.urandom(8), os.urandom(8)

    def one(name: str, at: int, parent: bytes = b"", **fields: Any) -> Any:
        return span(name, trace_id=TRACE, parent_span_id=parent, start_ns=START + at, duration_ns=100, **fields)

    ingest(
        request(
            one("root", 0, span_id=root),
            one("b", 2, root, attributes={"gen_ai.request.model": "small"}, status=ERROR),
            one("alone", 3),
        ),
        request(
            one("a", 1, root, span_id=a, attributes={"gen_ai.request.model": "large"}),
            one("a2", 5, a, attributes={"gen_ai.request.model": "small"}),
            one("a1", 4, a, attributes={"gen_ai.request.model": "large"}),
            resource={"service.name": "engine"},
        ),
    )


@pytest.mark.usefixtures("tree")
def test_spans_come_depth_first_with_their_depth(get: Get) -> None:
    answer = get(PATH)
    shown = [(one["name"], one["depth"]) for one in answer["spans"]]
    assert shown == [("root", 0), ("a", 1), ("a1", 2), ("a2", 2), ("b", 1), ("alone", 0)]
    assert {key: answer[key] for key in ("total", "limit", "offset", "next")} == {
        "total": 6,
        "limit": 50,
        "offset": 0,
        "next": None,
    }


@pytest.mark.usefixtures("tree")
def test_a_flat_span_is_the_nested_one_without_children(get: Get) -> None:
    nested, flat = [], get(PATH)["spans"]
    waiting = get(f"/traces/{TRACE.hex()}")["spans"][::-1]
    while waiting:
        one = waiting.pop()
        waiting += one.pop("children")[::-1]
        nested.append(one)
    depths = [one.pop("depth") for one in flat]
    assert flat == nested
    assert depths == [0, 1, 2, 2, 1, 0]


@pytest.mark.usefixtures("tree")
def test_filters_choose_spans_that_satisfy_all_and_depth_stays(get: Get, subtests: pytest.Subtests) -> None:
    table: list[tuple[dict[str, object], list[str]]] = [
        ({"model_name": "large"}, ["a", "a1"]),
        ({"model_name": "small"}, ["a2", "b"]),
        ({"service_name": "engine"}, ["a", "a1", "a2"]),
        ({"status": "error"}, ["b"]),
        ({"status": "ok"}, []),
        ({"name": "a2"}, ["a2"]),
        ({"model_name": "small", "service_name": "engine"}, ["a2"]),
        ({"model_name": "small", "service_name": "nobody"}, []),
    ]
    for parameters, expected in table:
        with subtests.test(parameters=parameters):
            answer = get(PATH, parameters)
            assert names(answer) == expected
            assert answer["total"] == len(expected)
    assert get(PATH, name="a2")["spans"][0]["depth"] == 2


@pytest.mark.usefixtures("tree")
def test_pages_by_cursor_and_by_offset_are_the_whole(get: Get) -> None:
    whole = names(get(PATH))
    by_cursor: list[str] = []
    cursor: dict[str, object] = {}
    for number in range(3):
        page = get(PATH, cursor, limit=2)
        assert (page["offset"], page["total"]) == (2 * number, 6)
        by_cursor += names(page)
        cursor = {"cursor": page["next"]}
    assert by_cursor == whole
    assert cursor == {"cursor": None}
    assert names(get(PATH, limit=2, offset=3)) == whole[3:5]
    past = get(PATH, offset=6)
    assert (past["spans"], past["total"], past["next"]) == ([], 6, None)


@pytest.mark.usefixtures("tree")
def test_a_cursor_goes_on_after_its_span_though_others_arrive_before_it(ingest: Ingest, get: Get) -> None:
    first = get(PATH, limit=3)
    ingest(request(*(span(f"new {at}", trace_id=TRACE, start_ns=START - 10 + at, duration_ns=1) for at in range(3))))
    second = get(PATH, limit=10, cursor=first["next"])
    assert names(first) + names(second) == ["root", "a", "a1", "a2", "b", "alone"]
    assert second["total"] == 9


def test_spans_of_one_id_and_time_are_paged_each_once(ingest: Ingest, get: Get) -> None:
    twin = os.urandom(8)
    ingest(
        request(
            *(span(f"twin {at}", trace_id=TRACE, span_id=twin, start_ns=START, duration_ns=5 + at) for at in range(5))
        )
    )
    seen: list[str] = []
    cursor: dict[str, object] = {}
    for _ in range(5):
        page = get(PATH, cursor, limit=1)
        seen += names(page)
        cursor = {"cursor": page["next"]}
    assert sorted(seen) == [f"twin {at}" for at in range(5)]


@pytest.mark.usefixtures("tree")
def test_a_cursor_belongs_to_its_trace_and_filters(ingest: Ingest, get: Get) -> None:
    other = os.urandom(16)
    ingest(request(span(trace_id=other)))
    cursor = get(PATH, limit=1)["next"]
    assert wrong(get(PATH, cursor=cursor, name="a", status=400)) == {"cursor"}
    assert wrong(get(f"/traces/{other.hex()}/spans", cursor=cursor, status=400)) == {"cursor"}


@pytest.mark.parametrize(
    "parameters", [{"limit": 0}, {"status": "failed"}, {"start": "2026-02-07T10:00:00Z"}, {"attr.a": "b"}]
)
@pytest.mark.usefixtures("tree")
def test_a_wrong_parameter_is_a_400_that_names_it(get: Get, parameters: dict[str, object]) -> None:
    assert wrong(get(PATH, parameters, status=400)) == parameters.keys()


@pytest.mark.usefixtures("tree")
def test_a_page_takes_two_queries_whatever_is_on_it(ingest: Ingest, get: Get, queries: list[str]) -> None:
    get(PATH)  # the resources' attributes are known after it
    queries.clear()
    get(PATH)
    assert len(queries) == 2
    ingest(request(*(span(trace_id=TRACE) for _ in range(30))))
    queries.clear()
    get(PATH)
    assert len(queries) == 2
