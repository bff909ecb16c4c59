"""What ClickHouse knows in the registry's lists and pages: the latest readings in one query, and the last hour."""

import re
import time
from html import unescape
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.models import ComputeResource, PhysicalGPU, ResourceContext, Tenant
from registry.sync import sync_registry
from tests.otlp import SECOND_NS
from tests.registry.admin.conftest import Page, new_card
from tests.registry.conftest import CARD, SLICE, See

pytestmark = pytest.mark.django_db


def row_of(listed: str, uuid: str) -> str:
    """Return the row of a list that shows a UUID, as its texts."""
    (row,) = [row for row in re.findall(r"<tr.*?</tr>", listed, re.DOTALL) if f">{uuid}<" in row]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", row)).split())


def test_a_list_shows_what_each_card_and_slice_measured_last(see: See, page: Page) -> None:
    for uuid, utilization, used_gb in ((SLICE, 60.0, 20.5), ("MIG-other", 30.0, 10.0)):
        see(
            resource_uuid=uuid,
            physical_uuid=CARD,
            resource_type="mig_3g.40gb",
            utilization=utilization,
            memory_used_gb=used_gb,
        )
    sync_registry()

    assert " 45 % 30.5 GiB " in row_of(page("physicalgpu_changelist"), CARD), "of both slices together"
    resources = page("computeresource_changelist")
    assert " 60 % 20.5 GiB " in row_of(resources, SLICE)
    assert " 30 % 10.0 GiB " in row_of(resources, "MIG-other")


def test_a_slice_of_an_old_layout_counts_no_more(see: See, page: Page) -> None:
    now_ns = time.time_ns()
    see(resource_uuid="MIG-old", physical_uuid=CARD, start_ns=now_ns - 900 * SECOND_NS, utilization=90.0)
    see(resource_uuid="MIG-gone", physical_uuid=CARD, utilization=90.0)
    see(resource_uuid=SLICE, physical_uuid=CARD, utilization=20.0)
    sync_registry()
    ComputeResource.objects.filter(uuid="MIG-gone").update(retired_at="2026-01-01T00:00:00Z", retired_by="operator")

    assert " 20 % " in row_of(page("physicalgpu_changelist"), CARD)


def test_compute_instances_of_one_gpu_instance_count_its_memory_once(see: See, page: Page) -> None:
    for uuid, used_gb in (("MIG-a", 20.0), ("MIG-b", 18.0), ("MIG-c", 5.0)):
        see(resource_uuid=uuid, physical_uuid=CARD, utilization=30.0, memory_used_gb=used_gb)
    sync_registry()
    ComputeResource.objects.filter(uuid__in=["MIG-a", "MIG-b"]).update(gi_id=1)
    ComputeResource.objects.filter(uuid="MIG-c").update(gi_id=2)

    assert " 30 % 25.0 GiB " in row_of(page("physicalgpu_changelist"), CARD)


def test_what_the_card_itself_measured_counts_before_its_slices(see: See, page: Page) -> None:
    for uuid, utilization in ((CARD, 40.0), (SLICE, 90.0)):
        see(resource_uuid=uuid, physical_uuid=CARD, utilization=utilization, memory_used_gb=10.0)
    sync_registry()
    ComputeResource.objects.update(retired_at=None, retired_by="")  # whatever the layout tells

    assert " 40 % 10.0 GiB " in row_of(page("physicalgpu_changelist"), CARD)


def test_each_tenants_card_shows_its_own_readings(see: See, page: Page) -> None:
    for tenant, utilization in (("default", 10.0), ("vision-lab", 70.0)):
        see(resource_uuid=SLICE, physical_uuid=CARD, utilization=utilization, tenant=tenant)
    sync_registry()

    for tenant, shown in (("default", " 10 % "), ("vision-lab", " 70 % ")):
        pk = str(Tenant.objects.get(slug=tenant).pk)
        assert shown in row_of(page("physicalgpu_changelist", tenant__id__exact=pk), CARD)


@pytest.mark.parametrize("model", ["physicalgpu", "computeresource"])
def test_a_page_of_rows_takes_one_query_of_clickhouse(
    see: See, page: Page, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    asked: list[str] = []
    ask = clickhouse.query

    def query(sql: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(sql)
        return ask(sql, *args, **kwargs)

    monkeypatch.setattr(clickhouse, "query", query)
    for number in range(12):
        see(resource_uuid=f"MIG-{number}", physical_uuid=f"GPU-{number % 4}", tenant=f"tenant-{number % 3}")
    sync_registry()

    asked.clear()
    with CaptureQueriesContext(connection) as few:
        page(f"{model}_changelist", tenant__id__exact=str(Tenant.objects.get(slug="tenant-0").pk))
    assert len(asked) == 1
    with CaptureQueriesContext(connection) as many:
        page(f"{model}_changelist")
    assert len(asked) == 2
    assert len(many) <= len(few), "a statement a row, or a tenant"


@pytest.mark.usefixtures("clickhouse_away")
@pytest.mark.parametrize("model", ["physicalgpu", "computeresource"])
def test_without_clickhouse_a_list_and_its_pages_stay_and_say_so(tenant: Tenant, page: Page, model: str) -> None:
    card = new_card(tenant, "GPU-1", slices=1)
    pk = card.pk if model == "physicalgpu" else ComputeResource.objects.get().pk

    for shown in (page(f"{model}_changelist"), page(f"{model}_change", pk)):
        assert "ClickHouse does not answer" in shown
        assert "MIG-1-0" in shown or "GPU-1" in shown


def test_the_page_of_a_card_draws_its_last_hour(see: See, page: Page) -> None:
    now_ns = time.time_ns()
    for minutes_ago, utilization in ((50, 20.0), (10, 80.0)):
        see(
            resource_uuid=SLICE,
            physical_uuid=CARD,
            start_ns=now_ns - minutes_ago * 60 * SECOND_NS,
            utilization=utilization,
            memory_used_gb=30.0,
            power_watts=250,
        )
    sync_registry()

    for shown in (
        page("physicalgpu_change", PhysicalGPU.objects.get().pk),
        page("computeresource_change", ComputeResource.objects.get().pk),
    ):
        charts = re.findall(r"<svg.*?</svg>", shown, re.DOTALL)
        assert len(charts) == 3, "utilization, memory, power"
        assert "Utilization of the last hour" in charts[0]
        assert "Utilization was between 20 and 80 %, at last 80 %." in charts[0]
        assert len(re.findall(r"UTC: (20|80) %</title>", charts[0])) == 2, "what the pointer tells of each"
        assert "at last 250 W" in charts[2]


@pytest.mark.usefixtures("clickhouse")
def test_a_card_without_readings_says_so_where_the_chart_would_be(tenant: Tenant, page: Page) -> None:
    shown = page("physicalgpu_change", new_card(tenant, "GPU-1").pk)
    assert "No span of the last hour has a reading of it." in shown
    assert "<polyline" not in shown


@pytest.mark.usefixtures("clickhouse")
def test_the_page_of_a_card_tells_its_slices_and_who_held_them(tenant: Tenant, ops: Client, page: Page) -> None:
    card = new_card(tenant, "GPU-1", slices=3)
    kept, held, retired = ComputeResource.objects.order_by("uuid")
    ComputeResource.objects.filter(pk=retired.pk).update(retired_at="2026-01-01T00:00:00Z", retired_by="layout")
    ResourceContext.objects.create(resource=held, pod="pod-now", attached_at="2026-01-01T00:00:00Z")
    for number in range(25):
        ResourceContext.objects.create(
            resource=kept,
            pod=f"pod-{number}",
            attached_at=f"2025-01-{number + 1:02}T00:00:00Z",
            detached_at=f"2025-01-{number + 1:02}T01:00:00Z",
        )

    shown = page("physicalgpu_change", card.pk)
    panels = dict(re.findall(r'ax-panel-title">([^<]*)</h2>(.*?)</section>', shown, re.DOTALL))
    assert set(re.findall(r"MIG-1-\d", panels["What processes can run on"])) == {"MIG-1-0", "MIG-1-1"}
    assert set(re.findall(r"MIG-1-\d", panels["Retired"])) == {"MIG-1-2"}
    assert set(re.findall(r"pod-\w+", panels["Who holds them now"])) == {"pod-now"}
    last = re.findall(r"pod-\w+", panels["Who held them last"])
    assert last == [f"pod-{number}" for number in range(24, 4, -1)], "the last twenty, the latest first"
    (all_of_them,) = re.findall(r'href="([^"]*)">All contexts of this card', panels["Who held them last"])
    assert ops.get(unescape(all_of_them)).context["cl"].result_count == 26
    assert reverse("admin:registry_node_change", args=[card.node_id]) in page("physicalgpu_changelist")
