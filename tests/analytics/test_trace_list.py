"""GET /traces: what a summary says, how the list is ordered and paged."""

import os
import time
from itertools import pairwise
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse

from analytics.queries.traces import ORDERS
from analytics.times import format_time
from tests.analytics.conftest import Get, wrong
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, OK, SECOND_NS, gpu, request, span

NOW = time.time_ns()
MINUTE_NS = 60 * SECOND_NS


def ids(answer: dict[str, Any]) -> list[str]:
    return [trace["trace_id"] for trace in answer["traces"]]


def some_traces(ingest: Ingest, count: int, *, start_ns: int = NOW - 20 * MINUTE_NS, **fields: Any) -> list[str]:
    """Store traces of one span, a second apart; returns their ids, oldest first."""
    spans = [span(f"trace {number}", start_ns=start_ns + number * SECOND_NS, **fields) for number in range(count)]
    ingest(request(*spans))
    return [one.trace_id.hex() for one in spans]


def test_a_summary_describes_the_whole_trace(ingest: Ingest, get: Get) -> None:
    trace, root = os.urandom(16), os.urandom(8)
    start = NOW - MINUTE_NS
    child: dict[str, Any] = {"trace_id": trace, "parent_span_id": root}
    ingest(
        request(
            span("chat", trace_id=trace, span_id=root, start_ns=start + 5, duration_ns=1_234_567_890, status=OK),
            span(
                "prefill",
                **child,
                start_ns=start + 1000,
                attributes={"gen_ai.request.model": "llama-70b", "gen_ai.usage.input_tokens": 900, "cost.usd": 0.25},
            ),
            span(
                "decode",
                **child,
                start_ns=start + 2000,
                duration_ns=2 * SECOND_NS,
                attributes={"gen_ai.request.model": "draft-1b", "gen_ai.usage.output_tokens": 40, "cost.usd": 0.125},
                status=ERROR,
            ),
            resource={"service.name": "gateway", "deployment.environment.name": "prod"},
        )
    )
    assert get("/traces") == {
        "traces": [
            {
                "trace_id": trace.hex(),
                "start_time": format_time(start + 5),
                "end_time": format_time(start + 2000 + 2 * SECOND_NS),
                "duration_ms": 2000.001995,
                "service_name": "gateway",
                "environment": "prod",
                "span_count": 3,
                "error_count": 1,
                "root_span_name": "chat",
                "status": "error",
                "models": ["draft-1b", "llama-70b"],
                "tokens_input": 900,
                "tokens_output": 40,
                "gpu_count": 0,
                "gpu_time_ms": 0.0,
                "cost_usd": 0.375,
            }
        ],
        "total": 1,
        "limit": 50,
        "offset": 0,
        "next": None,
    }


def test_no_trace_is_an_empty_page(clickhouse: object, get: Get) -> None:  # noqa: ARG001  emptied
    assert get("/traces") == {"traces": [], "total": 0, "limit": 50, "offset": 0, "next": None}


def test_a_cost_that_nobody_sent_is_null(ingest: Ingest, get: Get) -> None:
    ingest(request(span()))
    assert get("/traces")["traces"][0]["cost_usd"] is None


def test_gpu_time_counts_overlapping_spans_of_a_gpu_once_and_sums_gpus(ingest: Ingest, get: Get) -> None:
    trace, start = os.urandom(16), NOW - MINUTE_NS

    def on(resource: str, from_ms: int, to_ms: int, also: str | None = None) -> Any:
        attributes = {**gpu(0, resource_uuid=resource), **(gpu(1, resource_uuid=also) if also else {})}
        begin, duration = start + from_ms * MILLISECOND_NS, (to_ms - from_ms) * MILLISECOND_NS
        return span(trace_id=trace, start_ns=begin, duration_ns=duration, attributes=attributes)

    ingest(request(on("GPU-a", 0, 100), on("GPU-a", 50, 150), on("GPU-a", 200, 250), on("GPU-a", 10, 20, also="GPU-b")))
    (summary,) = get("/traces")["traces"]
    assert summary["gpu_count"] == 2
    assert summary["gpu_time_ms"] == (150 + 50) + 10


def test_gpu_time_of_one_trace_is_not_that_of_its_neighbour(ingest: Ingest, get: Get) -> None:
    on_gpu = gpu(0, resource_uuid="GPU-a")
    ingest(request(span(start_ns=NOW - MINUTE_NS, attributes=on_gpu), span(attributes=on_gpu), span()))
    assert sorted(trace["gpu_time_ms"] for trace in get("/traces")["traces"]) == [0.0, 100.0, 100.0]


def test_a_trace_that_arrives_out_of_order_in_many_batches_is_one(ingest: Ingest, get: Get) -> None:
    trace, root, start = os.urandom(16), os.urandom(8), NOW - MINUTE_NS
    late = span("late", trace_id=trace, parent_span_id=root, start_ns=start + 20, duration_ns=SECOND_NS)
    early = span("early", trace_id=trace, parent_span_id=root, start_ns=start + 10, status=OK)
    ingest(request(late, resource={"service.name": "worker-b"}))
    ingest(request(early, resource={"service.name": "worker-a", "deployment.environment": "dev"}))
    (summary,) = get("/traces")["traces"]
    assert (summary["service_name"], summary["root_span_name"], summary["environment"]) == ("worker-a", "early", "dev")
    assert (summary["span_count"], summary["status"]) == (2, "ok")

    ingest(request(span("root", trace_id=trace, span_id=root, start_ns=start + 15), resource={"service.name": "web"}))
    (summary,) = get("/traces")["traces"]
    assert (summary["service_name"], summary["root_span_name"], summary["environment"]) == ("web", "root", "")
    assert (summary["span_count"], summary["status"], summary["start_time"]) == (3, "unset", format_time(start + 10))


def test_of_several_roots_the_earliest_names_the_trace(ingest: Ingest, get: Get) -> None:
    trace, start = os.urandom(16), NOW - MINUTE_NS
    ingest(request(*(span(name, trace_id=trace, start_ns=start + at) for name, at in (("b", 2), ("a", 1), ("c", 3)))))
    assert get("/traces")["traces"][0]["root_span_name"] == "a"


def test_the_newest_traces_come_first(ingest: Ingest, get: Get) -> None:
    newest_first = some_traces(ingest, 3)[::-1]
    assert ids(get("/traces")) == newest_first


@pytest.fixture
def varied(ingest: Ingest) -> None:
    """Traces that differ in every order, with ties, and one without a cost."""
    requests = []
    for number in range(12):
        trace = os.urandom(16)
        spans = (
            span(
                trace_id=trace,
                start_ns=NOW - MINUTE_NS + (number % 4) * 1000,
                duration_ns=(number % 5) * MILLISECOND_NS,
                status=ERROR if at < number % 2 else OK,
                attributes={"cost.usd": (number % 3) / 3} if number else {},
            )
            for at in range(number % 3 + 1)
        )
        requests.append(request(*spans))
    ingest(*requests)


@pytest.mark.usefixtures("varied")
def test_pages_followed_by_cursor_are_the_whole_list_in_order(get: Get, subtests: pytest.Subtests) -> None:
    for order in ("start_time", "duration_ms", "error_count", "span_count", "cost_usd"):
        for order_by in (order, f"-{order}"):
            with subtests.test(order_by=order_by):
                whole = get("/traces", order_by=order_by, limit=1000)["traces"]
                keys = [
                    (-1 if trace[order] is None else trace[order], trace["start_time"], trace["trace_id"])
                    for trace in whole
                ]
                assert keys == sorted(keys, reverse=order_by.startswith("-"))
                assert len(whole) == 12
                assert followed(get, order_by) == whole


def followed(get: Get, order_by: str) -> list[dict[str, Any]]:
    """Return the list by three pages, each found by the cursor of the one before."""
    traces: list[dict[str, Any]] = []
    cursor: dict[str, object] = {}
    for number in range(3):
        page = get("/traces", cursor, order_by=order_by, limit=5)
        assert (page["total"], page["limit"], page["offset"]) == (12, 5, 5 * number)
        traces += page["traces"]
        cursor = {"cursor": page["next"]}
    assert cursor == {"cursor": None}
    return traces


def test_a_cursor_stays_right_while_traces_arrive(ingest: Ingest, get: Get) -> None:
    old = some_traces(ingest, 4)[::-1]
    first = get("/traces", limit=2)
    some_traces(ingest, 3, start_ns=NOW - MINUTE_NS)
    second = get("/traces", limit=2, cursor=first["next"])
    assert ids(first) + ids(second) == old
    assert second["total"] == 4
    assert second["next"] is None
    assert get("/traces", limit=2)["total"] == 7


def test_offset_skips(ingest: Ingest, get: Get) -> None:
    newest_first = some_traces(ingest, 5)[::-1]
    page = get("/traces", limit=2, offset=1)
    assert ids(page) == newest_first[1:3]
    assert (page["total"], page["offset"], page["limit"]) == (5, 1, 2)
    assert ids(get("/traces", limit=2, cursor=page["next"])) == newest_first[3:5]


@pytest.mark.usefixtures("varied")
@pytest.mark.parametrize("read_past", [0, 200])
def test_an_offset_skips_in_every_order_whether_what_is_before_it_is_read_or_not(
    get: Get, monkeypatch: pytest.MonkeyPatch, read_past: int
) -> None:
    monkeypatch.setattr("analytics.queries.traces.MAX_READ_PAST", read_past)
    for order_by in (f"{sign}{order}" for order in ORDERS for sign in ("", "-")):
        whole = get("/traces", order_by=order_by)["traces"]
        for offset in (1, 5, 11):
            assert get("/traces", order_by=order_by, limit=4, offset=offset)["traces"] == whole[offset : offset + 4]


def test_a_page_past_the_end_still_tells_the_total(ingest: Ingest, get: Get) -> None:
    some_traces(ingest, 2)
    page = get("/traces", offset=10)
    assert (page["traces"], page["total"], page["next"]) == ([], 2, None)


def test_the_last_full_page_has_no_next(ingest: Ingest, get: Get) -> None:
    some_traces(ingest, 4)
    assert get("/traces", limit=4)["next"] is None
    assert get("/traces", limit=3)["next"] is not None


def test_a_page_may_have_a_thousand_traces(ingest: Ingest, get: Get) -> None:
    newest_first = some_traces(ingest, 1001, start_ns=NOW - 40 * MINUTE_NS, attributes=gpu(0, resource_uuid="G"))[::-1]
    page = get("/traces", limit=1000)
    assert ids(page) == newest_first[:1000]
    assert {trace["gpu_time_ms"] for trace in page["traces"]} == {100.0}
    assert ids(get("/traces", limit=1000, cursor=page["next"])) == newest_first[1000:]


def test_a_cursor_belongs_to_its_filters_and_order(ingest: Ingest, get: Get) -> None:
    some_traces(ingest, 3)
    cursor = get("/traces", limit=1)["next"]
    for other in ({"order_by": "start_time"}, {"service_name": "tests"}, {"attr.a": "b"}):
        assert wrong(get("/traces", other, cursor=cursor, status=400)) == {"cursor"}
    assert wrong(get("/traces", cursor=cursor[:-3], status=400)) == {"cursor"}
    assert wrong(get("/traces", cursor=cursor, offset=1, status=400)) == {"offset"}


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 0},
        {"limit": 1001},
        {"order_by": "trace_id"},
        {"status": "bad"},
        {"start": "x"},
        {"format": "xml"},
        {"q": ""},
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(get: Get, parameters: dict[str, object]) -> None:
    assert wrong(get("/traces", parameters, status=400)) == set(parameters)


def test_a_tenant_sees_its_own_traces_only(ingest: Ingest, get: Get) -> None:
    ours, theirs = span("shared"), span("shared")
    ingest(request(theirs, resource={"service.name": "tests", "team": "them"}), tenant="other")
    ingest(request(ours))
    assert ids(get("/traces")) == [ours.trace_id.hex()]
    assert ids(get("/traces", name="shared")) == [ours.trace_id.hex()]
    assert get("/traces", {"attr.team": "them"})["total"] == 0
    assert get(f"/traces/{theirs.trace_id.hex()}", status=404)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, 3),
        ({"name": "trace 1", "resource_uuid": "GPU-a", "status": "unset", "order_by": "cost_usd"}, 3),
        ({"attr.service.name": "tests"}, 4),  # which resources have it
        ({"attr.service.name": "tests", "attr.tier": "free", "name": "trace 1"}, 3),  # no trace, no page
    ],
)
@pytest.mark.django_db
def test_a_page_of_any_length_takes_so_many_queries(
    ingest: Ingest,
    get: Get,
    queries: list[str],
    django_assert_num_queries: Any,
    parameters: dict[str, str],
    expected: int,
) -> None:
    some_traces(ingest, 20, attributes=gpu(0, resource_uuid="GPU-a"))
    for limit in (1, 20):
        queries.clear()
        with django_assert_num_queries(0):
            get("/traces", parameters, limit=limit)
        assert len(queries) == expected


def test_times_step_down_in_the_order_that_the_list_claims(ingest: Ingest, get: Get) -> None:
    some_traces(ingest, 30)
    times = [trace["start_time"] for trace in get("/traces", limit=30)["traces"]]
    assert all(later > earlier for later, earlier in pairwise(times))


def test_the_list_is_there_after_hours_in_which_nothing_arrived(
    ingest: Ingest, get: Get, clickhouse: ClickHouse
) -> None:
    [trace_id] = some_traces(ingest, 1)
    clickhouse.command(
        "ALTER TABLE trace_summaries UPDATE written_at = written_at - INTERVAL 5 HOUR WHERE true",
        settings={"mutations_sync": 2},
    )
    clickhouse.command("TRUNCATE TABLE summary_runs")
    clickhouse.command("INSERT INTO summary_runs SELECT now64(3) - INTERVAL 4 HOUR")
    clickhouse.command("OPTIMIZE TABLE summary_runs FINAL")
    assert ids(get("/traces")) == [trace_id]


def test_traces_with_an_attribute_come_page_by_page(ingest: Ingest, get: Get) -> None:
    expected = some_traces(ingest, 60, attributes={"plan": "free"})[::-1]
    some_traces(ingest, 5, start_ns=NOW - MINUTE_NS, attributes={"plan": "paid"})
    page = get("/traces", {"attr.plan": "free"}, limit=25)
    found = ids(page)
    while page["next"]:
        assert page["total"] == 60
        page = get("/traces", {"attr.plan": "free"}, limit=25, cursor=page["next"])
        found += ids(page)
    assert found == expected


def test_an_attribute_may_be_of_a_span_that_began_after_the_range(ingest: Ingest, get: Get) -> None:
    start_ns, trace_id = NOW - 20 * MINUTE_NS, os.urandom(16)
    late = span(trace_id=trace_id, start_ns=start_ns + 9 * MINUTE_NS, attributes={"plan": "free"})
    ingest(request(span(trace_id=trace_id, start_ns=start_ns), late))
    some_traces(ingest, 1, start_ns=start_ns + 2 * MINUTE_NS, attributes={"plan": "free"})
    inside = {"start": format_time(start_ns), "end": format_time(start_ns + MINUTE_NS)}
    assert ids(get("/traces", {"attr.plan": "free", **inside})) == [trace_id.hex()]
