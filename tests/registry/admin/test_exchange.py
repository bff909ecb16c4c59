"""Files of the registry: what they have, what a preview tells, what they change, and what they can't."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.models import ComputeResource, Node, PhysicalGPU, Tenant
from tests.registry.admin.conftest import new_card, staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clickhouse")]

Row = Mapping[str, str]


def export(client: Client, model: str, **filters: str) -> list[dict[str, str]]:
    answer = client.get(reverse(f"admin:registry_{model}_export"), filters)
    assert answer["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def csv_of(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def preview(client: Client, model: str, content: bytes) -> str:
    """Upload a file; return the page that says what it would change."""
    file = SimpleUploadedFile("rows.csv", content, content_type="text/csv")
    answer = client.post(reverse(f"admin:registry_{model}_import"), {"import_file": file, "format": "0"})
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def confirm(client: Client, model: str, previewed: str) -> str:
    """Press the preview's button; return the page it leads to."""
    inputs = re.findall(r"<input[^>]*>", previewed)
    fields = {
        name[1]: value[1] if (value := re.search(r'value="([^"]*)"', tag)) else ""
        for tag in inputs
        if (name := re.search(r'name="([^"]*)"', tag))
    }
    answer = client.post(reverse(f"admin:registry_{model}_process_import"), fields, follow=True)
    return unescape(answer.content.decode())


def cells(page: str, table: str) -> list[list[str]]:
    """Return the texts of a table's rows."""
    (body,) = re.findall(rf'id="{table}".*?</table>', page, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", body.partition("<tbody>")[2], re.DOTALL)
    text = [[re.sub(r"<[^>]*>", " ", cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)] for row in rows]
    return [[" ".join(cell.split()) for cell in row] for row in text]


@pytest.fixture
def fleet(tenant: Tenant) -> None:
    """Two cards, one of them corrected and with texts that spreadsheets run, their slices and their node."""
    labels = {"team": "search, ranking", "note": '=HYPERLINK("http://evil")'}
    new_card(tenant, "GPU-1", slices=2, labels=labels, set_model="=1+1", cost_per_hour_usd=Decimal("2.85"))
    new_card(tenant, "GPU-2", set_vendor="'@SUM(A1)", architecture="-Hopper", tflops=989.4)
    Node.objects.update(cloud_provider="aws", labels={"rack": "b7"})
    ComputeResource.objects.filter(uuid="MIG-1-0").update(gi_id=3, set_sm_share=Decimal("0.428571428571428571"))


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("model", ["physicalgpu", "computeresource", "node"])
def test_an_export_that_is_imported_again_changes_nothing(ops: Client, model: str) -> None:
    content = ops.get(reverse(f"admin:registry_{model}_export")).content

    previewed = preview(ops, model, content)

    assert re.search(r"0 to add, 0 to change, [12] as they are", previewed)
    assert "The file changes nothing" in previewed
    assert "Confirm import" not in previewed


@pytest.mark.usefixtures("fleet")
def test_an_export_has_no_formula_that_a_spreadsheet_would_run(ops: Client) -> None:
    rows = export(ops, "physicalgpu")
    assert [row["model"] for row in rows] == ["'=1+1", ""]
    assert [row["vendor"] for row in rows] == ["", "''@SUM(A1)"]
    assert rows[1]["architecture"] == "'-Hopper"
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.usefixtures("fleet")
def test_an_export_has_what_the_list_shows(ops: Client) -> None:
    assert [row["uuid"] for row in export(ops, "physicalgpu", q="GPU-2")] == ["GPU-2"]


@pytest.mark.usefixtures("fleet")
def test_a_preview_tells_old_and_new_and_only_a_confirmation_writes(ops: Client, tenant: Tenant) -> None:
    Node.objects.create(tenant=tenant, name="node-9")
    rows = [
        {"tenant": "default", "uuid": "GPU-1", "cost_per_hour_usd": "3.10", "node_id": "node-9", "labels": ""},
        {"tenant": "default", "uuid": "GPU-2", "cost_per_hour_usd": "", "node_id": "", "labels": ""},
        {"tenant": "default", "uuid": "GPU-3", "cost_per_hour_usd": "1", "node_id": "", "labels": '{"team": "a"}'},
    ]
    before = list(PhysicalGPU.objects.order_by("uuid").values())

    previewed = preview(ops, "physicalgpu", csv_of(rows))

    assert "1 to add, 1 to change, 1 as they are" in previewed
    labels = '{"note": "=HYPERLINK(\\"http://evil\\")", "team": "search, ranking"}'
    assert cells(previewed, "import-preview") == [
        ["2", "default", "GPU-1", f"node_id nothing → node-9 cost_per_hour_usd 2.85 → 3.1 labels {labels} → nothing"],
        ["4", "default", "GPU-3", 'new cost_per_hour_usd nothing → 1 labels nothing → {"team": "a"}'],
    ]
    assert list(PhysicalGPU.objects.order_by("uuid").values()) == before

    assert "1 added, 1 changed, 1 as they were." in confirm(ops, "physicalgpu", previewed)
    card, _, new = PhysicalGPU.objects.order_by("uuid")
    assert (card.cost_per_hour_usd, str(card.node), card.labels) == (Decimal("3.1"), "node-9", {})
    assert (card.set_model, new.labels) == ("=1+1", {"team": "a"}), "a column that the file lacks is left alone"
    assert [row.actor for row in (card.history.latest(), new.history.latest())] == ["ops", "ops"]


@pytest.mark.usefixtures("fleet")
def test_wrong_lines_are_told_by_line_and_column_and_nothing_is_written(ops: Client) -> None:
    columns = ("tenant", "uuid", "cost_per_hour_usd", "node_id", "sm_count", "pcie_bus_id", "labels")
    rows = [
        ("default", "GPU-1", "9.99", "", "132", "", ""),
        ("default", "GPU-2", "much", "nowhere", "0", "x", "team=search"),
        ("nobody", "GPU-2", "", "", "", "", ""),
        ("default", "GPU-1", "", "", "", "", ""),
        ("default", "", "1", "", "", "", ""),
        ("default", "GPU-9", "-1", "", "", "", '{"rack": 7}'),
    ]
    previewed = preview(ops, "physicalgpu", csv_of([dict(zip(columns, row, strict=True)) for row in rows]))

    assert "Nothing is written." in previewed
    assert "Confirm import" not in previewed
    problems = cells(previewed, "import-problems")
    told = {(line, column): sentence for line, column, sentence in problems}
    assert told["3", "cost_per_hour_usd"] == "Enter a number."
    assert told["3", "node_id"] == "The tenant has no node “nowhere”."
    assert told["3", "labels"] == "Enter a valid JSON."
    assert told["4", "tenant"] == "There is no tenant with the slug “nobody”."
    assert told["5", "uuid"] == "Line 2 has the same."
    assert told["6", "uuid"] == "This field is required."
    assert told["7", "cost_per_hour_usd"].startswith("Ensure this value is greater than or equal to 0")
    assert {line for line, _, _ in problems} == {"3", "4", "5", "6", "7"}
    assert any("labels" in sentence for line, _, sentence in problems if line == "7"), problems
    assert PhysicalGPU.objects.get(uuid="GPU-1").cost_per_hour_usd == Decimal("2.85")


@pytest.mark.usefixtures("tenant")
def test_a_card_of_another_tenant_is_not_found(ops: Client) -> None:
    new_card(Tenant.objects.create(slug="vision-lab", name="Vision Lab"), "GPU-theirs")
    row = {"tenant": "default", "uuid": "MIG-1", "physical_uuid": "GPU-theirs"}
    assert "The tenant has no physical GPU “GPU-theirs”." in preview(ops, "computeresource", csv_of([row]))


@pytest.mark.usefixtures("tenant")
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"tenant,uuid,prize\ndefault,GPU-1,1\n", "There is no column “prize”; there are tenant, uuid, model,"),
        (b"uuid,model\nGPU-1,H100\n", "tenant"),
        (b"tenant,uuid\n", "No valid data to import"),
        (b"\xff\xfe\x00", "encountered while trying to read file"),
        (b"tenant,uuid\ndefault\n", "This field is required."),
    ],
)
def test_what_is_no_such_file_is_told(ops: Client, content: bytes, told: str) -> None:
    previewed = preview(ops, "physicalgpu", content)
    assert told in previewed
    assert "Traceback" not in previewed
    assert "Line 2" not in previewed
    assert "Confirm import" not in previewed


def test_a_confirmation_after_the_registry_has_changed_writes_nothing(ops: Client, tenant: Tenant) -> None:
    new_card(tenant, "GPU-1")
    node = Node.objects.create(tenant=tenant, name="node-9")
    rows = [
        {"tenant": "default", "uuid": "GPU-2", "node_id": ""},
        {"tenant": "default", "uuid": "GPU-1", "node_id": "node-9"},
    ]
    previewed = preview(ops, "physicalgpu", csv_of(rows))
    node.delete()

    assert "The registry has changed since the preview: nothing was written." in confirm(ops, "physicalgpu", previewed)
    assert [card.uuid for card in PhysicalGPU.objects.all()] == ["GPU-1"]


@pytest.mark.usefixtures("tenant")
def test_a_preview_that_is_too_old_has_to_be_made_again(ops: Client) -> None:
    previewed = preview(ops, "physicalgpu", csv_of([{"tenant": "default", "uuid": "GPU-1"}]))
    cache.clear()
    assert "The preview is more than an hour old." in confirm(ops, "physicalgpu", previewed)
    assert not PhysicalGPU.objects.exists()


def test_who_may_only_look_may_export_and_not_import(client: Client, tenant: Tenant) -> None:
    new_card(tenant, "GPU-1")
    viewer = staff(client, "view_physicalgpu")
    listed = viewer.get(reverse("admin:registry_physicalgpu_changelist")).content.decode()
    assert reverse("admin:registry_physicalgpu_export") in listed
    assert reverse("admin:registry_physicalgpu_import") not in listed
    assert [row["uuid"] for row in export(viewer, "physicalgpu")] == ["GPU-1"]
    for name in ("import", "process_import"):
        assert viewer.post(reverse(f"admin:registry_physicalgpu_{name}"), {}).status_code == 403
    assert viewer.get(reverse("admin:registry_computeresource_export")).status_code == 403


def test_who_may_change_cards_adds_none_by_a_file(client: Client, tenant: Tenant) -> None:
    new_card(tenant, "GPU-1")
    editor = staff(client, "view_physicalgpu", "change_physicalgpu")
    rows = [{"tenant": "default", "uuid": uuid, "cost_per_hour_usd": "2"} for uuid in ("GPU-1", "GPU-2")]
    assert "you may not add a physical GPU" in preview(editor, "physicalgpu", csv_of(rows))
    assert "1 changed" in confirm(editor, "physicalgpu", preview(editor, "physicalgpu", csv_of(rows[:1])))


def test_a_file_takes_as_many_reads_for_many_rows_as_for_few(ops: Client, tenant: Tenant) -> None:
    rows: list[dict[str, Any]] = []
    for number in range(40):
        new_card(tenant, f"GPU-{number}")
        rows.append({"tenant": "default", "uuid": f"GPU-{number}", "architecture": "Hopper", "node_id": "node-1"})

    def reads(content: bytes) -> int:
        with CaptureQueriesContext(connection) as captured:
            preview(ops, "physicalgpu", content)
        return sum('FROM "registry_' in query["sql"] for query in captured)

    assert reads(csv_of(rows)) == reads(csv_of(rows[:2]))


def test_a_file_may_be_larger_than_other_requests_and_no_more_than_the_setting(ops: Client, settings: Any) -> None:
    content = b"tenant,uuid\n" + b"".join(b"default,GPU-%06d\n" % number for number in range(70_000))
    assert len(content) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = len(content)
    file = SimpleUploadedFile("rows.csv", content)
    answer = ops.post(reverse("admin:registry_physicalgpu_import"), {"import_file": file, "format": "0"})
    assert (answer.status_code, answer.content.decode()) == (413, f"A request has at most {len(content)} bytes.")
