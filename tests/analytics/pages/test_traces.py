"""The page of traces: what its list and its histogram have of the filters, and where its links lead."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.contrib.auth.models import User
from django.test import Client

from analytics.queries.traces import ORDERS
from registry.models import Tenant
from tests.analytics.conftest import Get
from tests.analytics.pages.conftest import Read
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, OK, SECOND_NS, gpu, request, span

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clickhouse")]

List = Callable[..., list[str]]


@pytest.fixture
def listed(read: Read) -> List:
    """Return the ids of the traces that a page lists."""

    def ask(query: Mapping[str, Any] | None = None, **more: Any) -> list[str]:
        part = read("/traces/list", part=True, **(query or {}), **more)
        return re.findall(r'<a id="trace-([0-9a-f]{32})" href="/traces/\1', part)

    return ask


@pytest.fixture
def traffic(ingest: Ingest) -> None:
    """Store twelve traces of the last hour that differ in all that can be asked for, and one of two days ago."""
    now_ns = time.time_ns()
    requests = []
    for number in range(13):
        trace, root = os.urandom(16), os.urandom(8)
        start_ns = now_ns - (number * 240 + 5 if number < 12 else 2 * 86_400) * SECOND_NS
        attributes = {
            "gen_ai.request.model": f"model-{number % 2}",
            "gen_ai.usage.input_tokens": 1000 * number,
            "cost.usd": number * 7 % 5 / 10,
            "tier": ("gold", "silver")[number % 2],
            **gpu(0, resource_uuid=f"MIG-{number % 3}", physical_uuid=f"GPU-{number % 3}", node_id=f"n-{number % 3}"),
        }
        steps = [
            span(f"step-{each}", trace_id=trace, parent_span_id=root, start_ns=start_ns, duration_ns=1)
            for each in range(number % 4)
        ]
        requests.append(
            request(
                span(
                    f"chat-{number % 5}",
                    trace_id=trace,
                    span_id=root,
                    start_ns=start_ns,
                    # on the edges of the histogram and between them
                    duration_ns=(100, 125, 126, 800)[number % 4] * MILLISECOND_NS,
                    attributes=attributes,
                    status=(OK, ERROR, 0)[number % 3],
                ),
                *steps,
                resource={
                    "service.name": f"svc-{number % 2}",
                    "deployment.environment.name": ("prod", "lab")[number % 2],
                },
            )
        )
    ingest(*requests)


FILTERS: list[dict[str, str]] = [
    {},
    {"service_name": "svc-1"},
    {"environment": "lab"},
    {"model_name": "model-0"},
    {"name": "step-2"},
    {"status": "error"},
    {"status": "unset"},
    {"min_duration_ms": "125"},
    {"max_duration_ms": "125"},
    {"resource_uuid": "MIG-2"},
    {"physical_uuid": "GPU-1"},
    {"node_id": "n-0"},
    {"attr.tier": "gold"},
    {"attr.gen_ai.usage.input_tokens": "3000"},
    {"service_name": "svc-1", "status": "error", "attr.tier": "silver", "max_duration_ms": "200"},
]


def total_of(part: str) -> int:
    found = re.search(r"of ([0-9,]+) traces", part)
    return int(found[1].replace(",", "")) if found else 0


def histogram(part: str) -> dict[str, Any]:
    """Return what the histogram draws; {} where there is none."""
    found = re.search(r'<script type="application/json">(.*?)</script>', part)
    return dict(json.loads(found[1])) if found else {}


def next_of(part: str) -> dict[str, str]:
    """Return the query of the link to the next page; {} on the last."""
    found = re.search(r'rel="next" href="\?([^"]*)"', part)
    return dict(re.findall(r"([^=&]+)=([^&]*)", found[1])) if found else {}


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_each_filter_chooses_what_the_api_chooses(listed: List, get: Get, filters: dict[str, str]) -> None:
    found = listed(filters, range="3d")
    assert found == [trace["trace_id"] for trace in get("/traces", filters)["traces"]]
    assert 0 < len(found) < 13 or not filters


@pytest.mark.usefixtures("traffic")
def test_the_range_leaves_out_what_began_before(listed: List) -> None:
    assert (len(listed()), len(listed(range="3d")), len(listed(range="15m"))) == (12, 13, 4)


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("order", list(ORDERS))
def test_a_click_on_a_heading_orders_and_another_one_turns_the_order(read: Read, get: Get, order: str) -> None:
    other = "cost_usd" if order == "start_time" else "start_time"
    href = rf'<th [^>]*><a href="\?[^"]*order_by=(-?){order}"'
    first = re.search(href, read("/traces/list", order_by=f"-{other}"))
    assert first
    assert first[1] == "-", "the largest first"
    for sign, back, sorted_as in (("-", "", "descending"), ("", "-", "ascending")):
        part = read("/traces/list", order_by=f"{sign}{order}", range="3d")
        expected = [trace["trace_id"] for trace in get("/traces", order_by=f"{sign}{order}")["traces"]]
        assert re.findall(r'id="trace-([0-9a-f]{32})"', part) == expected
        assert re.findall(r'aria-sort="(\w+)"><a href="\?[^"]*order_by=(-?\w+)', part) == [(sorted_as, back + order)]


def test_a_row_tells_of_its_trace_and_leads_there_in_the_same_range(read: Read, ingest: Ingest) -> None:
    attributes = {
        "gen_ai.request.model": "llama-3-70b",
        "gen_ai.usage.input_tokens": 1234,
        "gen_ai.usage.output_tokens": 56,
        "cost.usd": 0.25,
        **gpu(0, resource_uuid="GPU-1"),
    }
    trace = os.urandom(16)
    ingest(
        request(
            span("<chat>", trace_id=trace, duration_ns=2 * SECOND_NS, attributes=attributes, status=ERROR),
            span("short", duration_ns=SECOND_NS),
            resource={"service.name": "gateway"},
        )
    )
    part = read("/traces/list", range="6h", order_by="-duration_ms")
    first, second = re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", part, re.DOTALL)
    assert f'href="/traces/{trace.hex()}?range=6h"><chat></a>' in first
    told = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", first.replace("<chat>", "")))
    assert re.fullmatch(r" gateway error \w{3} \d+, \d\d:\d\d:\d\d 2 s 1 1 llama-3-70b 1,234 56 1 \$0.250 ", told), told
    assert 'width="100.0%"' in first
    assert 'width="50.0%"' in second, "of the page's longest"


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_the_histogram_counts_what_the_list_has_but_for_the_durations(read: Read, filters: dict[str, str]) -> None:
    others = {name: value for name, value in filters.items() if not name.endswith("duration_ms")}
    drawn = histogram(read("/traces/durations", range="3d", **filters))
    chosen = sum(value or 0 for value in drawn["lines"][0]["values"])
    everything = sum(value or 0 for line in drawn["lines"] for value in line["values"])
    assert everything == total_of(read("/traces/list", range="3d", **others))
    assert chosen == total_of(read("/traces/list", range="3d", **filters))
    assert len(drawn["lines"]) == (1 if others == filters else 2)


@pytest.mark.usefixtures("traffic")
def test_each_bar_chooses_the_traces_that_it_counts(read: Read) -> None:
    drawn = histogram(read("/traces/durations", range="3d"))
    assert drawn["brush"] == ["min_duration_ms", "max_duration_ms"]
    assert (drawn["edges"][0], drawn["edges"][-1]) == (100, 1000)
    counted = list(zip(drawn["bounds"], drawn["lines"][0]["values"], strict=True))
    assert sorted(count for _, count in counted if count) == [3, 4, 6]
    for (shortest, longest), count in counted:
        chosen = {"min_duration_ms": shortest, "max_duration_ms": longest}
        assert total_of(read("/traces/list", range="3d", **chosen)) == count, "one on an edge is of one bar alone"


@pytest.mark.usefixtures("traffic")
def test_what_is_chosen_of_the_histogram_is_told_with_the_way_back(read: Read) -> None:
    part = read("/traces/durations", range="3d", status="ok", min_duration_ms="125.5", max_duration_ms="1000")
    assert re.search(r"(\d) of (\d) took\s+126 ms to 1 s\.", part)
    assert '<a href="?range=3d&status=ok">All durations</a>' in part
    assert "took\n    200 ms or longer." in read("/traces/durations", min_duration_ms="200")
    assert "took\n    up to 200 ms." in read("/traces/durations", max_duration_ms="200")


class Clock:
    """The time that pages go by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed_ns = 0
        now_ns = time.time_ns
        monkeypatch.setattr("analytics.pages.window.time.time_ns", lambda: now_ns() + self.passed_ns)


@pytest.mark.parametrize("order_by", [f"{sign}{order}" for order in ORDERS for sign in ("", "-")])
def test_pages_show_each_trace_once_while_the_range_moves_on_and_traces_arrive_and_grow(
    ingest: Ingest, read: Read, monkeypatch: pytest.MonkeyPatch, order_by: str
) -> None:
    now_ns, clock = time.time_ns(), Clock(monkeypatch)
    traces = [os.urandom(16) for _ in range(12)]

    def piece(trace: bytes, number: int) -> Any:
        return span(
            trace_id=trace,
            start_ns=now_ns - (number * 300 + 60) * SECOND_NS,
            duration_ns=(number * 5 % 12 + 1) * MILLISECOND_NS,
            attributes={"cost.usd": number % 3 / 10},
            status=ERROR if number % 2 else 0,
        )

    ingest(request(*(piece(trace, number) for number, trace in enumerate(traces))))
    asked = {"range": "1h", "order_by": order_by, "limit": "5"}
    found: list[str] = []
    while asked:
        part = read("/traces/list", **asked)
        found += re.findall(r'id="trace-([0-9a-f]{32})"', part)
        assert total_of(part) == 12
        asked = {name: unescape(value).replace("%3A", ":") for name, value in next_of(part).items()}
        # a quarter of the hour falls out of its begin, what comes is of its end, and each third trace grows
        clock.passed_ns += 900 * SECOND_NS
        ingest(
            request(*(piece(os.urandom(16), number) for number in range(3)), *(piece(one, 1) for one in traces[::3]))
        )
    assert sorted(found) == sorted(trace.hex() for trace in traces)


@pytest.mark.usefixtures("traffic")
def test_the_pager_tells_where_one_is_and_leads_on_and_back(read: Read) -> None:
    first = read("/traces/list", range="1h", limit=5, status="ok")
    assert "4 of 4 traces" in first
    assert not next_of(first)
    first = read("/traces/list", range="1h", limit=5)
    assert "5 of 12 traces<" in first
    assert "Back" not in first
    query = {name: value.replace("%3A", ":") for name, value in next_of(first).items()}
    second = read("/traces/list", **query)
    assert "10 of 12 traces, as of" in second
    assert '<a class="button" href="?range=1h&limit=5">Back to the newest</a>' in second
    page = read("/traces", **query)
    third = re.findall(r'rel="next" href="([^"]*)"', second)
    assert {link for link in re.findall(r'href="([^"]*)"', page + second) if "cursor=" in link} == set(third)
    assert "data-refresh" not in page, "a later page stays as it was"
    assert "data-refresh" in read("/traces", range="1h")


@pytest.mark.usefixtures("traffic")
def test_a_cursor_of_another_list_is_told_with_the_way_on(read: Read) -> None:
    cursor = next_of(read("/traces/list", range="1h", limit=5))["cursor"].replace("%3A", ":")
    until, _, signed = cursor.partition(".")
    for path in ("/traces", "/traces/list", "/traces/durations"):
        for query in (
            {"range": "6h", "cursor": cursor},
            {"range": "1h", "status": "error", "cursor": cursor},
            {"range": "1h", "cursor": f"{int(until) + 1}.{signed}"},
            {"range": "1h", "cursor": signed},
            {"range": "1h", "cursor": "9" * 50 + "." + signed},
        ):
            page = read(path, part=path != "/traces", code=400, limit=5, **query)
            assert "Start again without it." in page
            assert re.search(r'href="(/traces)?\?[^"]*range=[16]h[^"]*">Open the page without it', page)
            assert "cursor=" not in page


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"min_duration_ms": "fast"}, "Give a number of milliseconds"),
        ({"min_duration_ms": "9", "max_duration_ms": "1"}, "not below min_duration_ms"),
        ({"status": "broken"}, '"broken" is not a valid choice.'),
        ({"order_by": "name"}, '"name" is not a valid choice.'),
        ({"limit": "0"}, "greater than or equal to 1"),
        ({"attr.": "x"}, "Name a key"),
        ({"color": "blue"}, "There is no such parameter."),
    ],
)
def test_a_wrong_parameter_is_named_with_the_way_on(read: Read, query: dict[str, str], told: str) -> None:
    page = read("/traces", code=400, service_name="gateway", **query)
    assert told in page
    assert re.search(r'href="/traces\?service_name=gateway[^"]*">Open the page without', page)


def test_the_form_shows_what_is_chosen_and_keeps_what_came_by_a_link(read: Read, ingest: Ingest) -> None:
    ingest(request(span("chat", attributes={"gen_ai.request.model": "llama"}), resource={"service.name": "gateway"}))
    page = read(
        "/traces",
        **{"attr.tier": ["gold", "silver"]},
        range="6h",
        service_name="gateway",
        status="error",
        name="chat",
        min_duration_ms="1.5",
        node_id="n-1",
        order_by="-cost_usd",
    )
    for chosen in ("gateway", "error"):
        assert f"<option selected>{chosen}</option>" in page
    assert '<option value="chat"></option>' in page, "names are suggested"
    assert '<input name="name" value="chat"' in page
    assert 'name="min_duration_ms" value="1.5"' in page
    hidden = set(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.split("<fieldset>")[0]))
    kept = {
        ("range", "6h"),
        ("order_by", "-cost_usd"),
        ("node_id", "n-1"),
        ("attr.tier", "gold"),
        ("attr.tier", "silver"),
    }
    assert kept <= hidden
    without_gold = re.search(r'<a href="([^"]*)" aria-label="Without tier gold">', page)
    assert without_gold
    assert "attr.tier=silver" in without_gold[1]
    assert "gold" not in without_gold[1]


def test_a_key_and_a_value_become_one_more_filter(client: Client, ingest: Ingest) -> None:
    ingest(request(span("first")))
    query = {"range": "6h", "attr.tier": "gold", "attribute_key": "a key", "attribute_value": "1 & 2", "status": ""}
    answer = client.get("/traces", query, follow=True)
    assert answer.status_code == 200
    assert answer.request["QUERY_STRING"] == "range=6h&attr.tier=gold&attr.a+key=1+%26+2"
    again = client.get("/traces", {**query, "attribute_key": "tier", "attribute_value": "gold"}, follow=True)
    assert again.request["QUERY_STRING"] == "range=6h&attr.tier=gold", "what is there is not there twice"
    half = client.get("/traces", {"attribute_key": "tier"})
    assert half.status_code == 200
    assert 'name="attribute_key" value="tier"' in half.content.decode(), "what is half told is not lost"


ATTRIBUTES: dict[str, object] = {
    "text": 'with "quotes", <tags> & ümläuts',
    "spaces": " at both ends ",
    "int": -12,
    "large": 2**62,
    "double": 0.1,
    "whole": 3.0,
    "tiny": 1.5e-9,
    "huge": 1e300,
    "not a number": float("nan"),
    "endless": float("-inf"),
    "true": True,
    "false": False,
    "texts": ["stop", 'a"b'],
    "numbers": [1, 2.5, False],
    "map": {"a": 1, "b": ["x"]},
    "bytes": b"\x00\xff",
    "nothing": None,
    "a key, with = & spaces": "x",
}


def suggested(read: Read, **query: Any) -> list[str]:
    return re.findall(r'<option value="(.*?)"></option>', read("/traces/attributes", part=True, **query))


def test_all_that_is_suggested_is_found_as_it_is_written(client: Client, read: Read, ingest: Ingest) -> None:
    resource = {"service.name": "gateway", "replicas": 3, "zone": "a"}
    ingest(request(span("chat", attributes=ATTRIBUTES), resource=resource), request(span("other"), resource={}))

    def options(**query: Any) -> list[str]:
        part = client.get("/traces/attributes", query, headers={"hx-request": "true"}).content.decode()
        return [unescape(text) for text in re.findall(r'<option value="([^"]*)"></option>', part)]

    keys = options()
    assert keys == sorted({*ATTRIBUTES, *resource})
    for key in keys:
        (value,) = options(attribute_key=key)
        part = read("/traces/list", **{f"attr.{key}": value})
        assert total_of(part) == 1, (key, value)
        assert ">chat</a>" in part
    assert options(attribute_key="whole") == ["3.0"]
    assert options(attribute_key="true") == ["true"]
    assert options(attribute_key="nobody's") == []


def test_suggestions_are_of_the_newest_that_match_and_short(read: Read, ingest: Ingest) -> None:
    now_ns = time.time_ns()
    ingest(
        request(
            *(span("chat", attributes={"tier": "gold", "prompt": "x" * 201, "lines": "a\nb"}) for _ in range(3)),
            span("chat", attributes={"tier": "silver"}),
            resource={"service.name": "gateway"},
        ),
        request(span("load", attributes={"disk": "nvme"}), resource={"service.name": "loader"}),
        request(span("old", start_ns=now_ns - 3 * 86_400 * SECOND_NS, attributes={"tier": "bronze"}), resource={}),
    )
    assert suggested(read) == ["disk", "service.name", "tier"], "what a field can't hold is not suggested"
    assert suggested(read, service_name="gateway") == ["service.name", "tier"]
    assert suggested(read, service_name="gateway", attribute_key="tier") == ["gold", "silver"], "most frequent first"
    assert suggested(read, range="30d", name="old", attribute_key="tier") == ["bronze"]
    assert suggested(read, service_name="nobody") == []


def test_a_flood_of_one_kind_leaves_room_for_suggestions_of_others(read: Read, ingest: Ingest) -> None:
    now_ns = time.time_ns()
    rare = span("rare", start_ns=now_ns - 60 * SECOND_NS, attributes={"needle": "here"})
    ingest(request(rare, *(span("step", attributes={"step": number}) for number in range(1500))))
    assert "needle" in suggested(read)


def test_staff_see_of_each_tenant_what_is_its_own(client: Client, read: Read, ingest: Ingest) -> None:
    Tenant.objects.create(slug="vision-lab", name="Vision lab")
    ingest(request(span("theirs", attributes={"plan": "theirs"})), tenant="vision-lab")
    ingest(request(*(span("ours", attributes={"plan": "ours"}) for _ in range(2))))
    client.force_login(User.objects.create_user("ops", is_staff=True))
    for tenant, own, count in (("vision-lab", "theirs", 1), ("default", "ours", 2)):
        part = read("/traces/list", tenant=tenant)
        links = re.findall(r'href="/traces/[0-9a-f]{32}\?tenant=([\w-]+)">(\w+)<', part)
        assert links == [(tenant, own)] * count
        assert suggested(read, tenant=tenant, attribute_key="plan") == [own]
        assert histogram(read("/traces/durations", tenant=tenant))["lines"][0]["values"] == [count]
        assert f'<option value="{own}"></option>' in read("/traces", tenant=tenant)


def test_who_never_sent_a_span_is_shown_how(read: Read, ingest: Ingest) -> None:
    assert "No span has come yet" in read("/traces")
    ingest(request(span("first")))
    assert "No span has come yet" not in read("/traces")


@pytest.mark.usefixtures("traffic")
def test_where_nothing_matches_it_says_which_filter_to_drop_and_where_to_look(read: Read) -> None:
    query = {"range": "24h", "service_name": "svc-1", "max_duration_ms": "1", "attr.tier": "bronze"}
    part = read("/traces/list", **query)
    assert "No trace matches" in part
    links = dict(re.findall(r'<li><a href="\?([^"]*)">(without \w[^<]*)', part))
    assert {text.strip() for text in links.values()} == {"without Service", "without Longest, ms", "without tier"}
    for left in links:
        assert left.count("=") == len(query) - 1
    assert re.findall(r"range=(\w+)", part.split("longer range")[1]) == ["3d", "7d", "30d"]
    assert not histogram(read("/traces/durations", **{**query, "service_name": "nobody"}))


def test_a_quiet_range_leads_to_longer_ones(read: Read, ingest: Ingest) -> None:
    ingest(request(span("old", start_ns=time.time_ns() - 5 * 3600 * SECOND_NS)))
    part = read("/traces/list", range="15m")
    assert "No trace began in this range" in part
    assert 'href="?range=6h"' in part
    assert "Drop a filter" not in part
    assert "1 of 1 traces" in read("/traces/list", range="6h")


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/traces", {}, 1),
        ("/traces", {"attr.tier": "gold"}, 1),
        ("/traces/list", {}, 3),
        ("/traces/list", {"order_by": "-cost_usd", "status": "error"}, 3),
        ("/traces/list", {"attr.tier": "gold"}, 4),
        ("/traces/durations", {"min_duration_ms": "5"}, 1),
        ("/traces/durations", {"attr.tier": "gold"}, 2),
        ("/traces/attributes", {}, 2),
        ("/traces/attributes", {"attribute_key": "tier", "service_name": "svc-1"}, 2),
    ],
)
def test_each_part_asks_few_questions(
    client: Client, queries: list[str], path: str, query: dict[str, str], expected: int
) -> None:
    assert client.get(path, query).status_code == 200
    assert len(queries) <= expected if path.endswith("attributes") else len(queries) == expected


@pytest.mark.usefixtures("traffic")
def test_a_later_page_asks_one_question(client: Client, read: Read, queries: list[str]) -> None:
    query = {name: value.replace("%3A", ":") for name, value in next_of(read("/traces/list", limit=5)).items()}
    queries.clear()
    assert client.get("/traces/list", query).status_code == 200
    assert len(queries) == 1


def test_an_engine_that_is_away_is_told_by_each_part(
    read: Read, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ConnectionError("secret host name")

    monkeypatch.setattr(clickhouse, "query", refuse)
    monkeypatch.setattr(clickhouse, "raw_query", refuse)
    for path in ("/traces", "/traces/list", "/traces/durations", "/traces/attributes"):
        page = read(path, part=path != "/traces", code=503)
        assert "ClickHouse does not answer." in page
        assert "secret" not in page
