"""The page of traces in a real Chromium: filters, the histogram, suggestions, pages and rows, in any window."""

import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from playwright.sync_api import Locator, Page, expect

from tests.browser import PHONE, WINDOWS, OpenWindow, barriers, meanwhile, scrolls_sideways
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, SECOND_NS, request, span

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clickhouse")]


@pytest.fixture
def traffic(ingest: Ingest) -> None:
    """Send a request each half minute of the last half hour: the newer the quicker, from 10 ms to 6 s."""
    now_ns = time.time_ns()
    spans = [
        span(
            f"chat-{number}",
            start_ns=now_ns - (30 * number + 1) * SECOND_NS,
            duration_ns=(10 if number < 40 else 100 * number) * MILLISECOND_NS,
            attributes={
                "gen_ai.request.model": "meta-llama/Llama-3.1-405B-Instruct-with-a-very-long-name",
                "gen_ai.usage.input_tokens": 100 * number,
                "tier": "gold" if number % 10 else "silver",
                "retries": number % 2,
            },
            status=ERROR if number % 20 == 0 else 0,
        )
        for number in range(60)
    ]
    ingest(request(*spans, resource={"service.name": "gateway"}))


def rows(page: Page) -> Locator:
    return page.get_by_role("region", name="Table of traces").get_by_role("row").filter(has=page.locator("td"))


def counted(page: Page, total: int) -> Locator:
    return page.get_by_text(re.compile(rf"^\d+\D\d+ of {total} traces")).first


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def brush(page: Page, begin_ms: float, end_ms: float) -> None:
    """Drag across the histogram, from within the bar of one duration to within that of another."""
    begin, end, y = page.evaluate(
        """(durations) => {
            const chart = Chart.getChart(document.querySelector("#durations canvas"));
            const { edges } = JSON.parse(document.querySelector("#durations script").textContent);
            const box = chart.canvas.getBoundingClientRect();
            const places = durations.map((ms, at) => edges.findLastIndex((edge) => edge <= ms) + [0.2, 0.8][at]);
            return [...places.map((at) => box.left + chart.scales.x.getPixelForValue(at)), box.top + 40];
        }""",
        [begin_ms, end_ms],
    )
    page.mouse.move(begin, y)
    page.mouse.down()
    page.mouse.move(end, y, steps=5)
    page.mouse.up()


@pytest.mark.usefixtures("traffic")
@WINDOWS
def test_the_page_fits_any_window_and_bars_nobody(open_window: OpenWindow, look: tuple[Any, int, int]) -> None:
    page = open_window(*look).open("/traces?attr.tier=gold&min_duration_ms=10&status=unset")
    expect(rows(page)).to_have_count(50)
    expect(page.locator("#durations canvas")).to_be_visible()
    assert not scrolls_sideways(page)
    assert barriers(page) == []
    table = page.get_by_role("region", name="Table of traces")
    assert table.evaluate("element => element.scrollWidth <= element.clientWidth"), "nor does the table"


@pytest.mark.usefixtures("traffic")
def test_a_stretch_of_the_histogram_chooses_its_traces_and_is_marked(open_window: OpenWindow) -> None:
    page = open_window().open("/traces?service_name=gateway&range=6h")
    expect(counted(page, 60)).to_be_visible()
    brush(page, 4100, 4900)
    page.wait_for_url("**min_duration_ms=*")
    assert query_of(page) == {
        "service_name": ["gateway"],
        "range": ["6h"],
        "min_duration_ms": ["4000"],
        "max_duration_ms": ["4999.999999"],
    }
    expect(page.get_by_text("10 of 60 took 4 s to 5 s.")).to_be_visible()
    expect(rows(page)).to_have_count(10)
    assert barriers(page) == []

    brush(page, 10, 10)
    page.wait_for_url("**min_duration_ms=10&*")
    expect(page.get_by_text("40 of 60 took")).to_be_visible()
    page.get_by_role("link", name="All durations").click()
    expect(counted(page, 60)).to_be_visible()

    page.get_by_text("As a table").click()
    page.get_by_role("link", name="4 s", exact=True).press("Enter")
    expect(rows(page)).to_have_count(10)


@pytest.mark.usefixtures("traffic")
def test_an_attribute_is_found_by_what_is_suggested(open_window: OpenWindow) -> None:
    page = open_window().open("/traces?range=6h")
    key, value = page.get_by_label("Key of an attribute"), page.get_by_label("Value of the attribute")
    key.focus()
    expect(page.locator("#attribute-keys option[value=tier]")).to_have_count(1)
    key.fill("tier")
    key.press("Tab")
    expect(page.locator("#attribute-values option").first).to_have_attribute("value", "gold")
    suggested = page.locator("#attribute-values option").evaluate_all("options => options.map((one) => one.value)")
    assert suggested == ["gold", "silver"]

    value.fill("silver")
    value.press("Enter")
    page.wait_for_url("**attr.tier=silver")
    expect(rows(page)).to_have_count(6)
    key.fill("retries")
    value.fill("0")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**attr.retries=0")
    assert query_of(page) == {"range": ["6h"], "attr.tier": ["silver"], "attr.retries": ["0"]}
    page.get_by_role("link", name="Without tier silver").click()
    page.wait_for_url(lambda url: "tier" not in url)
    expect(counted(page, 30)).to_be_visible()


@pytest.mark.usefixtures("traffic")
def test_pages_lead_on_and_back_and_a_later_one_stays_as_it_was(open_window: OpenWindow, ingest: Ingest) -> None:
    page = open_window().open("/traces")
    expect(rows(page)).to_have_count(50)
    first = rows(page).nth(0).inner_text()
    meanwhile(ingest, request(span("newcomer")))
    page.evaluate("document.body.dispatchEvent(new CustomEvent('refresh'))")
    expect(rows(page).nth(0)).to_contain_text("newcomer")
    assert "newcomer" not in first

    page.get_by_role("link", name="Next").first.click()
    expect(counted(page, 61)).to_be_visible()
    expect(rows(page).nth(0)).to_contain_text("chat-49")
    expect(page.locator("[data-refresh]")).to_have_count(0)
    meanwhile(ingest, request(span("another")))
    page.reload()
    expect(counted(page, 61)).to_be_visible()
    page.get_by_role("link", name="Back to the newest").first.click()
    expect(rows(page).nth(0)).to_contain_text("another")


@pytest.mark.usefixtures("traffic")
def test_rows_and_headings_are_reached_by_the_keyboard_and_rows_by_a_click_anywhere(open_window: OpenWindow) -> None:
    page = open_window().open("/traces?range=6h")
    page.get_by_role("columnheader", name="Took").get_by_role("link").press("Enter")
    page.wait_for_url("**order_by=-duration_ms")
    expect(page.get_by_role("columnheader", name="Took")).to_have_attribute("aria-sort", "descending")
    expect(rows(page).nth(0)).to_contain_text("chat-59")
    link = rows(page).nth(0).get_by_role("link")
    link.focus()
    page.evaluate("document.body.dispatchEvent(new CustomEvent('refresh'))")
    page.wait_for_load_state("networkidle")
    expect(link).to_be_focused()  # also when the list has come again
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/traces/[0-9a-f]{32}\?range=6h"))
    page.go_back()
    rows(page).nth(1).locator("td").last.click(force=True)  # what is over it is the row's link
    page.wait_for_url(re.compile(r"/traces/[0-9a-f]{32}\?range=6h"))


@pytest.mark.usefixtures("traffic")
def test_on_a_phone_a_row_is_a_card_that_tells_what_its_numbers_are(open_window: OpenWindow) -> None:
    page = open_window(*PHONE).open("/traces?order_by=-duration_ms&limit=5")
    card = rows(page).nth(0)
    box = card.bounding_box()
    assert box
    assert box["width"] <= 390
    assert box["height"] > 60
    shown = card.locator("td[data-label='tokens in']").evaluate("cell => getComputedStyle(cell, '::after').content")
    assert "tokens in" in shown
    page.get_by_role("link", name="Cost").click()
    page.wait_for_url("**order_by=-cost_usd**")


@pytest.mark.usefixtures("traffic")
def test_where_nothing_matches_a_click_drops_the_filter(open_window: OpenWindow) -> None:
    page = open_window("dark", 390, 844).open("/traces?service_name=gateway&name=nothing")
    expect(page.get_by_role("heading", name="No trace matches")).to_be_visible()
    expect(page.locator("#durations")).to_have_count(0)
    assert barriers(page) == []
    page.get_by_role("link", name="without Span nothing").click()
    expect(rows(page)).to_have_count(50)


def test_a_server_without_spans_shows_how_to_send_one(open_window: OpenWindow) -> None:
    page = open_window().open("/traces")
    expect(page.get_by_role("heading", name="No span has come yet")).to_be_visible()
    assert barriers(page) == []


@pytest.mark.usefixtures("traffic")
def test_an_engine_that_fails_is_told_where_the_list_would_be_and_heals_by_itself(
    open_window: OpenWindow, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_window(*PHONE, expected={503}).open("/traces")

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(clickhouse, "query", refuse)
        page.evaluate("document.body.dispatchEvent(new CustomEvent('refresh'))")
        expect(page.get_by_role("alert")).to_have_count(2)
        expect(page.get_by_role("alert").last).to_contain_text("ClickHouse does not answer.")
        assert barriers(page) == []
        assert not scrolls_sideways(page)
        page.reload()
        expect(page.get_by_role("alert")).to_have_count(1)
        assert barriers(page) == []
    page.reload()
    expect(rows(page)).to_have_count(50)
    expect(page.get_by_role("alert")).to_have_count(0)
