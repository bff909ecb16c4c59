"""The admin in a real Chromium: what a platform engineer does there, light, dark and on a phone."""

import csv
import io
import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from registry.models import ComputeResource, PhysicalGPU, Tenant
from registry.sync import sync_registry
from tests.browser import WINDOWS, OpenWindow, Window, scrolls_sideways
from tests.otlp import SECOND_NS
from tests.processes import wait_until
from tests.registry.admin.conftest import new_card
from tests.registry.conftest import CARD, SLICE, See

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "correct horse battery"  # noqa: S105  of a user who lives for one test


@dataclass
class Admin:
    """A browser's window on the admin."""

    window: Window

    def open(self, path: str = "") -> Page:
        self.window.page.goto(f"{self.window.url}/admin/{path}")
        return self.window.page

    def list(self, model: str, search: str = "") -> Page:
        page = self.open(f"registry/{model}/")
        if search:
            page.fill("#searchbar", search)
            page.press("#searchbar", "Enter")
            page.wait_for_url("**q=*")
        return page


Open = Callable[..., Admin]


@pytest.fixture
def admin(open_window: OpenWindow) -> Open:
    """Sign in by the form, in a window of a colour scheme and size."""
    User.objects.create_superuser("ops", password=PASSWORD)

    def sign_in(*look: Any) -> Admin:
        admin = Admin(open_window(*look))
        page = admin.open()
        page.fill("#id_username", "ops")
        page.fill("#id_password", PASSWORD)
        page.click("#login-form button[type=submit]")
        expect(page.locator("#content").get_by_role("heading", name="Hardware")).to_be_visible()
        return admin

    return sign_in


@pytest.fixture
def traffic(see: See) -> None:
    """Spans of a slice on a card, over the last half hour, and of a slice whose card nobody names."""
    now_ns = time.time_ns()
    for minutes_ago in range(0, 30, 5):
        see(
            resource_uuid=SLICE,
            physical_uuid=CARD,
            resource_type="mig_3g.40gb",
            model="NVIDIA H100 80GB HBM3",
            node_id="dgx-h100-02",
            user_label="cuda:0",
            utilization=20.0 + minutes_ago,
            memory_used_gb=30.0,
            memory_total_gb=39.5,
            power_watts=300,
            start_ns=now_ns - minutes_ago * 60 * SECOND_NS - SECOND_NS,
            sender={"host.name": "dgx-h100-02", "k8s.pod.name": "vllm-llama-70b-6f7c9"},
        )
    see(resource_uuid="MIG-lost", utilization=50.0)
    sync_registry()


def gpu(live_server: LiveServer, uuid: str) -> dict[str, Any]:
    """Return a GPU as `GET /api/v1/gpus` lists it."""
    with urllib.request.urlopen(f"{live_server.url}/api/v1/gpus", timeout=20) as answer:
        return next(row for row in json.load(answer)["gpus"] if row["resource_uuid"] == uuid)


@pytest.mark.usefixtures("traffic")
def test_a_slice_is_found_by_its_uuid_put_on_its_card_and_priced_and_the_api_follows(
    admin: Open, live_server: LiveServer
) -> None:
    assert gpu(live_server, "MIG-lost")["physical_uuid"] == ""
    ops = admin()
    page = ops.list("computeresource", search="MIG-lost")
    page.click("#changelist th a:has-text('MIG-lost')")

    page.click(".field-set_physical .select2-selection, #id_set_physical + .select2 .select2-selection")
    page.fill(".select2-search__field", CARD[:12])
    page.click(f".select2-results__option:has-text('{CARD}')")
    page.click("button[name=_save]")
    expect(page.get_by_text("was changed successfully")).to_be_visible()

    page = ops.list("physicalgpu", search="MIG-lost")
    page.fill("input[name=form-0-cost_per_hour_usd]", "2.85")
    page.click("[name=_save]")
    expect(page.get_by_text("1 physical GPU was changed successfully.")).to_be_visible()

    shown = gpu(live_server, "MIG-lost")
    assert (shown["physical_uuid"], shown["node_id"]) == (CARD, "dgx-h100-02")
    assert PhysicalGPU.objects.get(uuid=CARD).cost_per_hour_usd is not None


@pytest.mark.usefixtures("traffic")
def test_the_page_of_a_card_leads_to_its_slices_holders_and_node_and_draws_its_hour(admin: Open) -> None:
    page = admin().list("physicalgpu")
    page.click(f"#changelist th a:has-text('{CARD}')")

    chart = page.get_by_role("img", name="Utilization of the last hour")
    expect(chart).to_be_visible()
    assert chart.bounding_box()["width"] > 200  # type: ignore[index]  # it is visible
    # SVG's own titles: the browser shows them under the pointer.
    assert chart.locator("g title").first.text_content().endswith(" %")  # type: ignore[union-attr]
    expect(page.get_by_role("link", name="vllm-llama-70b-6f7c9")).to_be_visible()

    page.click(f".ax-panel a:has-text('{SLICE}')")
    page.wait_for_url("**/computeresource/*/change/")
    page.click(f".readonly a:has-text('{CARD}')")
    page.wait_for_url("**/physicalgpu/*/change/")


@pytest.mark.usefixtures("clickhouse")
def test_prices_are_set_for_many_cards_at_once(admin: Open, tenant: Tenant) -> None:
    for number in range(3):
        new_card(tenant, f"GPU-{number}", slices=1)
    page = admin().list("physicalgpu")
    for number in range(2):
        page.locator("input.action-select").nth(number).check()
    page.select_option("select[name=action]", "set_price")
    page.click("button[name=index]")
    page.fill("input[name=price]", "3.25")
    page.click("button[name=apply]")

    expect(page.get_by_text("2 cards priced anew.")).to_be_visible()
    prices = PhysicalGPU.objects.order_by("uuid").values_list("cost_per_hour_usd", flat=True)
    assert [str(price) for price in prices] == ["3.250000", "3.250000", "None"]


@pytest.mark.usefixtures("clickhouse")
def test_a_file_is_exported_changed_looked_at_and_imported(admin: Open, tenant: Tenant, tmp_path: Path) -> None:
    for number in range(2):
        new_card(tenant, f"GPU-{number}")
    page = admin().list("physicalgpu")
    with page.expect_download() as download:
        page.click("a:has-text('Export')")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    rows[1]["cost_per_hour_usd"] = "1.5"
    changed = tmp_path / "cards.csv"
    with changed.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    page.click("a:has-text('Import')")
    page.set_input_files("input[type=file]", changed)
    page.click("button[name=preview]")
    expect(page.locator("#import-preview tbody tr")).to_have_text(["3 default GPU-1 cost_per_hour_usd nothing → 1.5"])
    page.click("button[name=confirm]")
    expect(page.get_by_text("0 added, 1 changed, 1 as they were.")).to_be_visible()
    assert str(PhysicalGPU.objects.get(uuid="GPU-1").cost_per_hour_usd) == "1.500000"


@pytest.mark.usefixtures("traffic")
@WINDOWS
def test_every_page_fits_its_window_and_complains_of_nothing(admin: Open, look: tuple[str, int, int]) -> None:
    ops = admin(*look)
    card, slice_ = PhysicalGPU.objects.get(), ComputeResource.objects.get(uuid=SLICE)
    card.set_model = "NVIDIA H200"
    card.save()
    for path in (
        "",
        *(f"registry/{model}/" for model in ("node", "physicalgpu", "computeresource", "resourcecontext", "tenant")),
        f"registry/node/{card.seen_node_id}/change/",
        f"registry/physicalgpu/{card.pk}/change/",
        f"registry/physicalgpu/{card.pk}/history/",
        f"registry/computeresource/{slice_.pk}/change/",
        "registry/physicalgpu/import/",
        "registry/apikey/",
        "registry/apikey/add/",
        "ingest/deadletter/",
        "auth/user/",
        "auth/group/",
    ):
        page = ops.open(path)
        page.wait_for_load_state("networkidle")
        is_dark = page.evaluate("document.documentElement.classList.contains('dark')")
        assert is_dark == (look[0] == "dark"), path
        assert not scrolls_sideways(page), path


def test_a_menu_opens_and_the_look_can_be_chosen(admin: Open) -> None:
    page = admin().open()
    page.locator("[x-data] >> text=ops").last.click()
    expect(page.get_by_text("Log out")).to_be_visible()
    for _ in ("light", "dark"):
        page.keyboard.press("Control+e")
    wait_until(lambda: page.evaluate("document.documentElement.classList.contains('dark')"))
