"""The page of a trace in a real Chromium: what somebody does who looks for what took so long."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from axonize.clickhouse import client as clickhouse_client
from tests.analytics.pages.made_traces import CHAT, GENERATE, LARGE, QUEUE, SAFETY, SLICE, chat, large
from tests.browser import PHONE, WINDOWS, OpenWindow, barriers, scrolls_sideways
from tests.conftest import Ingest

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGE = f"/traces/{CHAT.hex()}"
LARGE_PAGE = f"/traces/{LARGE.hex()}"
TO = "\N{EN DASH}"
LAST = "step 1110"
"""Of ten thousand spans: the last child of the last child of … the first."""


@pytest.fixture
def stored(ingest: Ingest) -> None:
    ingest(*chat())


@pytest.fixture
def wide(ingest: Ingest) -> None:
    ingest(large(10_000))


@pytest.fixture
def deep(ingest: Ingest) -> None:
    ingest(large(5_000, levels=True))


def rows(page: Page) -> Locator:
    return page.get_by_role("treeitem")


def row(page: Page, name: str) -> Locator:
    return page.locator(f'[role=treeitem][aria-label^="{name},"]')


def active(page: Page) -> str:
    """Return the words of the row that the keyboard is on, as a screen reader hears them."""
    return str(
        page.evaluate(
            "document.getElementById(document.querySelector('[role=tree]').getAttribute('aria-activedescendant')).ariaLabel"
        )
    )


def opened(page: Page) -> Page:
    """Return the page once its spans are there."""
    expect(rows(page).first).to_be_visible()
    return page


@pytest.mark.usefixtures("stored")
def test_what_took_long_is_seen_at_once(open_window: OpenWindow) -> None:
    page = opened(open_window().open(PAGE))
    expect(page.get_by_role("heading", level=1)).to_contain_text("POST /v1/chat")
    expect(page.locator("[data-path]")).to_have_text("4 spans: generate 80%, queue 10%, POST /v1/chat 5%")
    expect(rows(page)).to_have_count(4)
    told = "800 ms, after 110 ms, llama-3-70b, TTFT 210 ms, 812 → 245 tokens, on the critical path"
    assert row(page, "generate").get_attribute("aria-label") == f"generate, llama-serving, {told}"
    generate, root = row(page, "generate"), row(page, "POST /v1/chat")
    assert (root.get_attribute("aria-level"), generate.get_attribute("aria-level")) == ("1", "2")
    assert (generate.get_attribute("aria-posinset"), generate.get_attribute("aria-setsize")) == ("2", "3")
    assert (root.get_attribute("aria-expanded"), generate.get_attribute("aria-expanded")) == ("true", None)
    expect(row(page, "check safety").locator(".mark")).to_have_text("!")
    expect(page.get_by_role("list", name="Services").get_by_role("listitem")).to_have_text(
        ["api-gateway", "llama-serving"]
    )
    bar, whole = generate.locator(".span-bar").bounding_box(), generate.locator(".track").bounding_box()
    assert bar and whole  # noqa: PT018  both are drawn
    assert bar["width"] / whole["width"] == pytest.approx(0.8, abs=0.01)
    page.get_by_role("button", name="generate 80%").click()
    expect(page.get_by_role("complementary").get_by_role("heading", name="generate")).to_be_visible()


@pytest.mark.usefixtures("stored")
def test_the_path_can_be_hidden(open_window: OpenWindow) -> None:
    page = opened(open_window().open(PAGE))
    expect(page.locator(".row .path")).to_have_count(4)
    page.get_by_role("checkbox", name="Critical path").uncheck()
    expect(page.locator(".row .path")).to_have_count(0)


@pytest.mark.usefixtures("stored")
def test_a_gpu_has_a_lane_that_leads_to_it_and_a_table(open_window: OpenWindow) -> None:
    page = opened(open_window().open(PAGE))
    lanes = page.get_by_role("group", name="GPUs")
    expect(lanes.get_by_role("img")).to_have_accessible_name(
        "NVIDIA H100 80GB HBM3: one span held it, at 71.5% to 71.5%"
    )
    expect(lanes.get_by_role("link", name="H100 80GB HBM3")).to_have_attribute("href", f"/gpus/{SLICE}")
    expect(lanes).to_contain_text("mig_3g.40gb")
    expect(lanes).to_contain_text("dgx-h100-02")
    page.get_by_text("The GPUs as a table").click()
    cells = page.get_by_role("region", name="The GPUs as a table").locator("tbody td")
    expect(cells).to_have_text(["generate", "110 ms", "800 ms", "71.5%"])
    lanes.get_by_role("img").click()
    expect(page.get_by_role("complementary").get_by_role("heading", name="generate")).to_be_visible()


@pytest.mark.usefixtures("stored")
def test_the_keyboard_does_it_all(open_window: OpenWindow) -> None:
    page = opened(open_window().open(PAGE))
    tree = page.get_by_role("tree", name="Spans")
    tree.focus()
    for keys, name in {
        "ArrowDown ArrowDown": "generate",
        "End": "check safety",
        "Home": "POST /v1/chat",
        "ArrowRight": "queue",
        "ArrowLeft": "POST /v1/chat",
        "PageDown": "check safety",
        "PageUp": "POST /v1/chat",
    }.items():
        for key in keys.split():
            page.keyboard.press(key)
        assert active(page).startswith(f"{name},"), keys
    page.keyboard.press("ArrowLeft")
    expect(rows(page)).to_have_count(1)
    assert row(page, "POST /v1/chat").get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowRight")
    expect(rows(page)).to_have_count(4)

    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary", name="Span")
    expect(panel.get_by_role("heading", name="queue")).to_be_focused()
    assert page.url.endswith(f"?span={QUEUE.hex()}")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(tree).to_be_focused()
    assert "span=" not in page.url

    page.keyboard.press("z")
    expect(page.locator("[data-stretch]")).to_have_text(f"5 ms {TO} 115 ms")
    page.keyboard.press("0")
    expect(page.locator("[data-stretch]")).to_have_text("")


@pytest.mark.usefixtures("stored")
def test_spans_are_found_and_gone_through(open_window: OpenWindow) -> None:
    page = opened(open_window().open(PAGE))
    page.keyboard.press("/")
    field, told = page.get_by_role("searchbox", name="Find spans"), page.locator("[data-found]")
    expect(field).to_be_focused()
    hits = {"LLAMA": 3, "status:error": 1, "service:llama gen": 1, "model:llama": 1, "name:llama": 0, "nothing": 0}
    for text, count in hits.items():
        field.fill(text)
        expect(told).to_have_text(f"1 of {count}" if count else "no span")
        expect(page.locator(".row.hit")).to_have_count(count)
    field.fill("llama")
    # from the span on that the search is at already
    assert active(page).startswith("generate,")
    expect(told).to_have_text("2 of 3")
    field.press("Enter")
    assert active(page).startswith("check safety,")
    page.get_by_role("tree").focus()
    page.keyboard.press("n")
    assert active(page).startswith("queue,")
    page.keyboard.press("n")
    assert active(page).startswith("generate,")
    page.keyboard.press("Shift+N")
    assert active(page).startswith("queue,")
    page.get_by_role("button", name="Fold all", exact=True).click()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Next hit").click()
    expect(rows(page)).to_have_count(4)
    field.press("Escape")
    expect(page.locator(".row.hit")).to_have_count(0)


@pytest.mark.usefixtures("stored")
def test_a_drag_zooms_into_a_stretch(open_window: OpenWindow) -> None:
    page = opened(open_window().open(PAGE))
    box = page.locator("[data-minimap]").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + 12, steps=4)
    page.mouse.up()
    stretch = page.locator("[data-stretch]")
    expect(stretch).to_have_text(re.compile(rf"^(89\d|90\d) ms {TO} (94\d|95\d) ms$"))
    expect(row(page, "queue").locator(".away")).to_have_text("◂")
    page.get_by_role("button", name="Whole").click()
    expect(stretch).to_have_text("")
    expect(page.locator(".row .away")).to_have_count(0)


@pytest.mark.usefixtures("stored")
def test_a_span_is_shown_by_the_address_that_was_shared(open_window: OpenWindow) -> None:
    page = opened(open_window().open(f"{PAGE}?range=6h&span={SAFETY.hex()}"))
    panel = page.get_by_role("complementary", name="Span")
    expect(panel.get_by_role("heading", name="check safety")).to_be_visible()
    expect(panel.get_by_text("ValueError: no <policy>")).to_be_visible()
    expect(row(page, "check safety")).to_have_attribute("aria-selected", "true")
    panel.get_by_role("link", name=re.compile("^0101")).click()
    expect(panel.get_by_role("heading", name="POST /v1/chat")).to_be_visible()
    assert f"span={'01' * 8}" in page.url
    assert "range=6h" in page.url
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("span_id", ["f" * 16, "n/o"])
def test_a_span_that_is_not_there_is_told_in_the_panel(span_id: str, open_window: OpenWindow) -> None:
    page = opened(open_window(expected={404}).open(f"{PAGE}?span={span_id}"))
    panel = page.get_by_role("complementary", name="Span")
    expect(panel).to_contain_text("This trace has no such span.")
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()


@pytest.mark.usefixtures("stored")
def test_attributes_are_filtered_unfolded_and_copied(open_window: OpenWindow) -> None:
    page = opened(open_window().open(f"{PAGE}?span={GENERATE.hex()}"))
    panel = page.get_by_role("complementary", name="Span")
    panel.get_by_role("searchbox", name="Filter the attributes").fill("messages")
    shown = panel.locator("[data-filtered] tbody tr:visible")
    expect(shown).to_have_count(1)
    shown.locator("summary").click()
    expect(shown.locator("pre")).to_contain_text("Why is the sky blue?")
    assert len(shown.locator("pre").inner_text()) > 50_000
    panel.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == GENERATE.hex()
    page.get_by_role("button", name="Copy id").click()
    assert page.evaluate("navigator.clipboard.readText()") == CHAT.hex()


@pytest.mark.usefixtures("stored")
def test_the_trace_is_downloaded(open_window: OpenWindow) -> None:
    page = opened(open_window().open(PAGE))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as OTLP JSON").click()
    assert download.value.suggested_filename == f"trace-{CHAT.hex()}.json"
    assert len(json.loads(download.value.path().read_text())["resourceSpans"]) == 2


@pytest.mark.usefixtures("wide")
def test_ten_thousand_spans_scroll_to_the_last_in_few_rows(open_window: OpenWindow) -> None:
    page = opened(open_window().open(LARGE_PAGE))
    tree = page.get_by_role("tree")
    assert rows(page).count() < 120
    tree.evaluate("tree => { tree.scrollTop = tree.scrollHeight / 2; }")
    expect(row(page, "step 0")).to_have_count(0)
    assert rows(page).count() < 120
    tree.evaluate("tree => { tree.scrollTop = tree.scrollHeight; }")
    expect(row(page, LAST)).to_be_visible()
    expect(row(page, "step 0")).to_have_count(0)
    assert rows(page).count() < 120
    tree.focus()
    page.keyboard.press("Home")
    expect(row(page, "step 0")).to_be_visible()
    page.keyboard.press("End")
    expect(row(page, LAST)).to_be_visible()

    # what was folded stays so
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert row(page, "step 1").get_attribute("aria-expanded") == "false"
    tree.evaluate("tree => { tree.scrollTop = tree.scrollHeight; }")
    expect(row(page, "step 1")).to_have_count(0)
    tree.evaluate("tree => { tree.scrollTop = 0; }")
    assert row(page, "step 1").get_attribute("aria-expanded") == "false"
    expect(row(page, "step 1")).to_contain_text("+")

    page.get_by_role("searchbox", name="Find spans").fill("step 9998")
    expect(page.locator("[data-found]")).to_have_text("1 of 1")
    expect(row(page, "step 9998")).to_be_visible()


@pytest.mark.usefixtures("deep")
def test_five_thousand_levels_stay_in_sight(open_window: OpenWindow) -> None:
    page = opened(open_window().open(LARGE_PAGE))
    page.get_by_role("tree").focus()
    page.keyboard.press("End")
    last = row(page, "step 4999")
    expect(last.locator(".name")).to_be_in_viewport()
    assert last.get_attribute("aria-level") == "5000"
    expect(last.locator(".level")).to_have_text("4,999")
    assert rows(page).count() < 120
    expect(page.locator("[data-path]")).to_contain_text("5,000 spans")
    assert not scrolls_sideways(page)


@WINDOWS
@pytest.mark.usefixtures("stored")
def test_the_page_fits_and_keeps_nobody_out(look: tuple[str, int, int], open_window: OpenWindow) -> None:
    page = opened(open_window(*look).open(PAGE))
    assert barriers(page) == []
    assert not scrolls_sideways(page)
    row(page, "generate").locator(".name").click()
    expect(page.get_by_role("complementary").get_by_role("heading", name="generate")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert barriers(page) == []
    assert not scrolls_sideways(page)


@pytest.mark.usefixtures("stored")
def test_on_a_phone_the_panel_lies_over_the_page_and_closes(open_window: OpenWindow) -> None:
    page = opened(open_window(*PHONE).open(f"{PAGE}?span={GENERATE.hex()}"))
    panel = page.get_by_role("complementary", name="Span")
    expect(panel.get_by_role("heading", name="generate")).to_be_in_viewport()
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()


@pytest.mark.usefixtures("clickhouse")
def test_an_unknown_trace_leads_back_to_the_list(open_window: OpenWindow) -> None:
    page = open_window(expected={404}).open(f"/traces/{'f' * 32}")
    expect(page.get_by_role("heading", name="There is no such trace")).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("link", name="Find it among the traces").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Traces")


@pytest.mark.usefixtures("stored")
def test_while_clickhouse_is_away_the_page_and_the_panel_say_so(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(expected={503})
    page = opened(window.open(PAGE))
    with monkeypatch.context() as patch:
        patch.setattr(clickhouse_client, "get_client", away)
        patch.setattr("axonize.clickhouse.json_rows.get_client", away)
        row(page, "generate").locator(".name").click()
        panel = page.get_by_role("complementary", name="Span")
        expect(panel).to_contain_text("ClickHouse does not answer")
        panel.get_by_role("button", name="Close").click()
        expect(panel).to_be_hidden()
        page = window.open(PAGE)
        expect(page.get_by_role("alert")).to_contain_text("ClickHouse does not answer")


def away() -> Any:
    raise OSError("nobody listens")


@pytest.mark.usefixtures("stored")
def test_a_trace_that_was_deleted_meanwhile_says_so(open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.pages.trace.waterfall", lambda **_: None)
    page = open_window(expected={404}).open(PAGE)
    expect(page.get_by_text("This trace is not here any more")).to_be_visible()
