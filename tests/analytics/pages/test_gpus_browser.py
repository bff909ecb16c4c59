"""The pages of the GPUs in a real Chromium: the demo's fleet, light, dark, on a phone, empty, with an engine away."""

import time
from collections.abc import Callable

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from playwright.sync_api import expect

from axonize.demo.fleet import FLEET
from axonize.demo.hardware import Device
from registry.models import PhysicalGPU
from registry.sync import sync_registry
from tests.analytics.pages.hardware import H100
from tests.browser import WINDOWS, OpenWindow, barriers, browser, open_window, scrolls_sideways  # noqa: F401  fixtures
from tests.conftest import Ingest
from tests.otlp import SECOND_NS, gpu, request, span
from tests.registry.conftest import clickhouse_away  # noqa: F401  a fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def attribution(number: int, device: Device) -> dict[str, object]:
    """Return what a span of the demo says of a device."""
    sensors = {"utilization": 40.0 + number, "memory_used_gb": device.resident_gib, "power_watts": 200}
    return gpu(
        number,
        resource_uuid=device.uuid,
        physical_uuid=device.card.uuid,
        model=device.card.model.name,
        vendor="NVIDIA",
        node_id=device.card.node,
        resource_type=device.resource_type,
        user_label=device.label,
        memory_total_gb=device.memory_gib,
        **(sensors | {"temperature_celsius": 61, "clock_mhz": 1755} if device.readable else {}),
    )


# It has to stand before the browser, whose loop leaves no room for another one.
@pytest.fixture
def demo(ingest: Ingest, share_out: Callable[[], None]) -> Device:
    """Send spans of each pod of the demo's fleet over half an hour, of the last not for ten minutes; return a slice."""
    now_ns = time.time_ns()
    pods = [pod for pod in FLEET if pod.devices]
    ingest(
        *(
            request(
                span(
                    "chat",
                    start_ns=now_ns - (minutes_ago * 60 + 20) * SECOND_NS,
                    duration_ns=15 * SECOND_NS,
                    attributes={
                        "gen_ai.request.model": f"{pod.service}-model",
                        **{
                            k: v
                            for number, device in enumerate(pod.devices)
                            for k, v in attribution(number, device).items()
                        },
                    },
                ),
                resource=dict(pod.resource),
            )
            for pod in pods
            for minutes_ago in (range(10, 30, 5) if pod is pods[-1] else range(0, 30, 5))
        )
    )
    sync_registry()
    share_out()
    PhysicalGPU.objects.filter(seen_model=H100).update(cost_per_hour_usd="2.85", set_memory_total_gb=80)
    return pods[0].devices[0]


@WINDOWS
def test_every_page_fits_its_window_complains_of_nothing_and_is_open_to_all(
    demo: Device,
    open_window: OpenWindow,  # noqa: F811
    look: tuple[str, int, int],
) -> None:
    window = open_window(*look)
    for path in ("/gpus", f"/gpus/{demo.uuid}", f"/physical-gpus/{demo.card.uuid}", "/gpus?idle=true&retired=any"):
        page = window.open(path)
        expect(page.locator(".loading")).to_have_count(0)
        expect(page.locator(".problem")).to_have_count(0)
        assert not scrolls_sideways(page), path
        assert barriers(page) == [], path


@pytest.mark.usefixtures("demo")
def test_the_idle_gpu_is_found_from_the_fleet_and_its_page_opened(open_window: OpenWindow) -> None:  # noqa: F811
    page = open_window().open("/gpus")
    expect(page.locator("tr.idle")).to_have_count(1)
    page.click("a.tile:has-text('Idle')")
    page.wait_for_url("**idle=true")
    expect(page.locator(".fleet tbody tr:not(.node)")).to_have_count(1)
    page.click(".fleet a:has-text('NVIDIA L4')")
    page.wait_for_url("**/gpus/GPU-*")
    expect(page.get_by_role("heading", name="NVIDIA L4")).to_be_visible()
    expect(page.locator(".tile", has_text="State")).to_contain_text("idle")


def test_filters_are_sent_when_they_are_chosen_and_stand_in_the_url(demo: Device, open_window: OpenWindow) -> None:  # noqa: F811
    page = open_window().open("/gpus?range=6h")
    page.select_option("select[name=resource_type]", demo.resource_type)
    page.wait_for_url(f"**range=6h**resource_type={demo.resource_type}")
    expect(page.locator(".fleet tr.slice").first).to_contain_text(demo.resource_type)
    page.fill("input[name=q]", demo.uuid[:12])
    page.press("input[name=q]", "Enter")
    page.wait_for_url("**q=MIG-**")
    expect(page.locator(".fleet tr.slice")).to_have_count(1)


def test_the_charts_are_drawn_a_stretch_of_one_is_brushed_and_the_uuid_is_copied(
    demo: Device,
    open_window: OpenWindow,  # noqa: F811
) -> None:
    page = open_window().open(f"/gpus/{demo.uuid}")
    canvas = page.locator("#utilization canvas")
    expect(canvas).to_be_visible()
    page.get_by_role("button", name="Copy the UUID").click()
    assert page.evaluate("navigator.clipboard.readText()") == demo.uuid

    box = canvas.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, middle)
    page.mouse.up()
    page.wait_for_url("**start=**end=**")
    expect(page.locator("#utilization")).to_be_visible()


def test_a_slice_leads_to_its_card_and_the_card_to_its_slices(demo: Device, open_window: OpenWindow) -> None:  # noqa: F811
    page = open_window().open(f"/gpus/{demo.uuid}?range=24h")
    page.click(f".facts a:has-text('{demo.card.uuid}')")
    page.wait_for_url(f"**/physical-gpus/{demo.card.uuid}?range=24h")
    page.locator(".fleet tr.slice a").first.click()
    page.wait_for_url("**/gpus/MIG-*?range=24h")


@pytest.mark.usefixtures("demo")
def test_the_fleet_is_asked_for_again_while_somebody_looks(open_window: OpenWindow) -> None:  # noqa: F811
    page = open_window().open("/gpus")
    page.evaluate("document.querySelector('.fleet').dataset.old = ''")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('refresh'))")
    expect(page.locator(".fleet[data-old]")).to_have_count(0)
    expect(page.locator(".fleet")).to_be_visible()


@pytest.mark.usefixtures("clickhouse")
@WINDOWS
def test_without_any_gpu_the_page_says_what_to_send(
    open_window: OpenWindow,  # noqa: F811
    look: tuple[str, int, int],
    clickhouse: ClickHouse,
) -> None:
    del clickhouse
    page = open_window(*look).open("/gpus")

    expect(page.get_by_role("heading", name="No GPU has been seen yet")).to_be_visible()
    assert not scrolls_sideways(page)
    assert barriers(page) == []


def test_while_clickhouse_is_away_the_parts_say_so(
    demo: Device,
    open_window: OpenWindow,  # noqa: F811
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue("clickhouse_away")
    window = open_window(expected={503})
    for path in ("/gpus", f"/gpus/{demo.uuid}"):
        page = window.open(path)
        expect(page.locator(".problem").first).to_contain_text("Not available for now")
        assert barriers(page) == []
        assert not scrolls_sideways(page)


@pytest.mark.usefixtures("clickhouse")
def test_an_unknown_gpu_is_told(open_window: OpenWindow) -> None:  # noqa: F811
    page = open_window(expected={404}).open("/gpus/GPU-none")

    expect(page.get_by_role("alert")).to_contain_text("Search the list of GPUs")
    assert barriers(page) == []
