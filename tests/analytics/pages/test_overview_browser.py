"""The first page in a real Chromium: what is drawn, brushed and asked again, in any window."""

import json
import re
import subprocess
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from playwright.sync_api import Locator, Page, expect

from tests.analytics.pages.test_formats import DURATIONS
from tests.browser import PHONE, WINDOWS, OpenWindow, barriers, meanwhile, scrolls_sideways
from tests.conftest import Drain, Ingest
from tests.otlp import ERROR, MILLISECOND_NS, SECOND_NS, request, span
from tests.processes import running

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clickhouse")]


@pytest.fixture
def traffic(ingest: Ingest) -> None:
    """Send a request each minute of the last hour, with tokens; each tenth failed."""
    now_ns = time.time_ns()
    attributes = {
        "gen_ai.request.model": "llama-3-70b",
        "ai.llm.ttft_ms": 50.0,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gpu.0.resource_uuid": "GPU-1",
    }
    spans = [
        span(
            "chat",
            start_ns=now_ns - minute * 60 * SECOND_NS,
            duration_ns=(100 + minute) * MILLISECOND_NS,
            attributes=attributes,
            status=ERROR if minute % 10 == 0 else 0,
        )
        for minute in range(1, 60)
    ]
    ingest(request(*spans, resource={"service.name": "gateway"}))


def requests_of(page: Page) -> Locator:
    return page.get_by_role("link", name=re.compile("^Requests "))


def is_drawn(page: Page, chart: str) -> bool:
    """Tell whether the colour of the chart's first line is anywhere between its axes."""
    return bool(
        page.evaluate(
            """(id) => {
                const chart = Chart.getChart(document.querySelector(`#${id} canvas`));
                const { left, top, width, height } = chart.chartArea;
                const ratio = chart.currentDevicePixelRatio;
                const { data } = chart.ctx.getImageData(left * ratio, top * ratio, width * ratio, height * ratio);
                const wanted = chart.data.datasets[0].borderColor.match(/[0-9]+/g).map(Number);
                for (let at = 0; at < data.length; at += 4)
                    if (wanted.every((part, channel) => Math.abs(data[at + channel] - part) < 8)) return true;
                return false;
            }""",
            chart,
        )
    )


@pytest.mark.usefixtures("traffic")
@WINDOWS
def test_the_overview_fits_any_window_draws_its_charts_and_bars_nobody(
    open_window: OpenWindow, look: tuple[Any, int, int]
) -> None:
    page = open_window(*look).open("/")
    for chart in ("requests", "errors", "latency", "tokens", "ttft"):
        assert is_drawn(page, chart), chart
    assert not scrolls_sideways(page)
    assert barriers(page) == []


@pytest.mark.usefixtures("traffic")
def test_a_stretch_that_is_brushed_becomes_the_range_of_the_page(open_window: OpenWindow) -> None:
    page = open_window().open("/?service_name=gateway")
    plot = page.evaluate(
        """() => {
            const chart = Chart.getChart(document.querySelector("#latency canvas"));
            const box = chart.canvas.getBoundingClientRect();
            return { left: box.left + chart.chartArea.left, width: chart.chartArea.width, y: box.top + 60 };
        }"""
    )
    page.mouse.move(plot["left"] + plot["width"] * 0.25, plot["y"])
    page.mouse.down()
    page.mouse.move(plot["left"] + plot["width"] * 0.75, plot["y"], steps=5)
    page.mouse.up()
    page.wait_for_url("**start=*")

    query = parse_qs(urlsplit(page.url).query)
    assert query["service_name"] == ["gateway"]
    assert "range" not in query
    edges = json.loads(page.locator("#requests script").text_content() or "")["edges"]
    assert 25 <= (edges[-1] - edges[0]) / 60_000 <= 35, "half of the hour"
    expect(requests_of(page)).to_contain_text(re.compile(r"(29|30|31) in all"))


@pytest.mark.usefixtures("traffic")
def test_a_chart_can_be_read_as_a_table_whose_rows_lead_to_their_part_of_the_range(open_window: OpenWindow) -> None:
    page = open_window().open("/?range=1h")
    page.locator("#requests summary").click()
    rows = page.get_by_role("region", name="Requests, as a table").locator("tbody tr")
    expect(rows.last).to_be_visible()
    assert rows.count() in {120, 121}
    assert sum(row.endswith("0.03/s") for row in rows.all_inner_texts()) in range(55, 60)
    rows.filter(has_text="0.03/s").first.get_by_role("link").click()
    expect(requests_of(page)).to_contain_text("1 in all")


@pytest.mark.usefixtures("traffic")
def test_what_comes_meanwhile_is_shown_without_a_click_and_what_was_open_stays(
    open_window: OpenWindow, ingest: Ingest
) -> None:
    page = open_window().open("/")
    page.select_option("[data-refresh]", "5")
    page.locator("#latency summary").click()
    tile = requests_of(page)
    expect(tile).to_contain_text("59 in all")

    meanwhile(ingest, request(span("chat")))
    expect(tile).to_contain_text("60 in all", timeout=20_000)
    expect(page.locator("#latency details")).to_have_attribute("open", "")
    assert is_drawn(page, "latency")


@pytest.mark.usefixtures("traffic")
def test_the_keyboard_leads_to_the_content_the_ranges_and_a_request(open_window: OpenWindow) -> None:
    page = open_window().open("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="15m")).to_be_focused()
    page.get_by_text("Custom").press("Enter")
    page.get_by_label("From").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_label("From")).to_be_hidden()
    page.get_by_role("link", name="chat").first.press("Enter")
    page.wait_for_url(re.compile(r"/traces/[0-9a-f]{32}"))


@pytest.mark.usefixtures("traffic")
def test_the_zone_and_the_colours_are_chosen_and_stay(open_window: OpenWindow) -> None:
    window = open_window()
    page = window.open("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    with page.expect_navigation():
        page.get_by_label("Colours").select_option("dark")
    assert page.evaluate(ground) != light
    window.open("/traces")
    assert page.evaluate(ground) != light
    assert page.get_by_label("Times in").input_value() == "UTC"


def test_the_five_lines_of_an_empty_overview_send_a_first_span(open_window: OpenWindow, drain: Drain) -> None:
    page = open_window().open("/")
    code = page.locator("#first-span").inner_text()
    assert len(code.splitlines()) == 5
    with running("manage.py", "receive_otlp", until="OTLP/gRPC on"):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    drained: list[int] = []
    meanwhile(lambda: drained.append(drain()))
    assert drained == [1]
    expect(page.get_by_role("link", name="llama-3-70b")).to_be_visible()
    expect(page.get_by_role("link", name="chat")).to_be_visible()


@pytest.mark.usefixtures("traffic")
def test_an_engine_that_fails_is_told_where_its_part_would_be_and_heals_by_itself(
    open_window: OpenWindow, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(*PHONE, expected={503})
    page = window.open("/")

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(clickhouse, "query", refuse)
        page.evaluate("document.body.dispatchEvent(new CustomEvent('refresh'))")
        expect(page.get_by_role("alert").first).to_contain_text("ClickHouse does not answer.")
        assert barriers(page) == []
        assert not scrolls_sideways(page)
    page.evaluate("document.body.dispatchEvent(new CustomEvent('refresh'))")
    expect(requests_of(page)).to_contain_text("59 in all")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.usefixtures("traffic")
def test_the_browser_writes_durations_as_the_server_does(open_window: OpenWindow) -> None:
    page = open_window().open("/")
    written = page.evaluate(
        """async (ms) => {
            const { inUnit } = await import("/static/pages/formats.js");
            return ms.map((one) => inUnit(one, "ms"));
        }""",
        [None if nanoseconds is None else nanoseconds / 1e6 for nanoseconds, _ in DURATIONS],
    )
    assert written == [text for _, text in DURATIONS]
