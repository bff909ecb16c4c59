"""What ops set and what was seen: corrected by form, in the list and in bulk, taken back, taken over, remembered."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext, Tenant
from tests.registry.admin.conftest import Act, Page, new_card, staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clickhouse")]


def prices() -> dict[str, Decimal | None]:
    return dict(PhysicalGPU.objects.values_list("uuid", "cost_per_hour_usd"))


def test_a_price_is_set_for_the_chosen_cards_after_a_page_that_asks(tenant: Tenant, act: Act) -> None:
    one, two, _ = (new_card(tenant, f"GPU-{number}") for number in range(3))

    asked = act("set_price", [one, two])
    assert "Set the price of 2 physical GPUs" in asked
    assert "GPU-0 (H100)" in asked
    assert set(prices().values()) == {None}, "nothing is written before it is answered"

    assert "Ensure this value is greater than or equal to 0" in act("set_price", [one, two], answered="1", price="-1")
    assert "2 cards priced anew." in act("set_price", [one, two], answered="1", price="2.85")
    assert prices() == {"GPU-0": Decimal("2.85"), "GPU-1": Decimal("2.85"), "GPU-2": None}
    assert one.history.latest().actor == "ops"
    assert "0 cards priced anew." in act("set_price", [one, two], answered="1", price="2.85")
    assert one.history.count() == 2, "a row for the creation and one for the price, none for what changed nothing"


def test_an_action_reaches_all_pages_of_a_list_where_all_were_chosen(tenant: Tenant, act: Act) -> None:
    cards = [new_card(tenant, f"GPU-{number:03}", node=f"node-{number}") for number in range(60)]
    told = act("set_price", cards[:1], answered="1", price="1", select_across="1")
    assert "60 cards priced anew." in told


def test_cards_are_moved_to_a_node_of_their_tenant(tenant: Tenant, act: Act) -> None:
    other = Tenant.objects.create(slug="vision-lab", name="Vision Lab")
    mine, theirs = new_card(tenant, "GPU-mine"), new_card(other, "GPU-theirs")
    target = Node.objects.create(tenant=tenant, name="node-9")

    told = act("move_to_node", [mine, theirs], answered="1", node=target.pk)

    assert "1 card moved to node-9. 1 card of another tenant left where they are." in told
    assert [str(card.node) for card in PhysicalGPU.objects.order_by("uuid")] == ["node-9", "node-1"]


def test_labels_are_set_and_taken_away_and_the_others_stay(tenant: Tenant, act: Act) -> None:
    one = new_card(tenant, "GPU-1", labels={"team": "vision", "rack": "b7"})
    two = new_card(tenant, "GPU-2", labels={"team": "search lab"})

    assert "Give names and values" in act("set_labels", [one, two], answered="1", labels="team")
    assert "1 row labelled." in act("set_labels", [one, two], answered="1", labels="team=search lab, rack=")
    labels = PhysicalGPU.objects.order_by("uuid").values_list("labels", flat=True)
    assert list(labels) == [{"team": "search lab"}, {"team": "search lab"}]
    assert one.history.latest().labels == {"team": "search lab"}
    assert two.history.count() == 1


def test_resources_are_retired_and_taken_back_and_keep_what_they_did(tenant: Tenant, act: Act, page: Page) -> None:
    new_card(tenant, "GPU-1", slices=2)
    one, two = ComputeResource.objects.order_by("uuid")
    ResourceContext.objects.create(resource=one, pod="pod", attached_at="2026-01-01T00:00:00Z")

    assert "1 resource retired" in act("retire", [one], answered="1")
    assert [row.retired_by for row in ComputeResource.objects.order_by("uuid")] == ["operator", ""]
    assert ResourceContext.objects.count() == 1
    listed = page("computeresource_changelist", retired="yes")
    assert "MIG-1-0" in listed
    assert "MIG-1-1" not in listed

    assert "1 resource taken back" in act("take_back", [one, two])
    assert not ComputeResource.objects.retired().exists()
    assert [row.actor for row in one.history.all()[:2]] == ["ops", "ops"]


def test_a_conflict_is_shown_and_settled_either_way(tenant: Tenant, act: Act, page: Page) -> None:
    accepted = new_card(tenant, "GPU-1", set_model="H200")
    cleared = new_card(tenant, "GPU-2", set_model="H200", set_memory_total_gb=80.0)
    new_card(tenant, "GPU-3", set_model="H100")

    listed = page("physicalgpu_changelist", conflict="yes")
    assert "Something else was seen than is set: model" in listed
    assert re.findall(r">(GPU-\d)<", listed) == ["GPU-1", "GPU-2"]
    assert "Accept what was seen" in page("physicalgpu_change", accepted.pk)

    assert "1 physical GPU set to what was seen." in act("accept_seen", [accepted])
    assert "1 physical GPU back to what was seen." in act("clear_corrections", [cleared])
    accepted.refresh_from_db()
    cleared.refresh_from_db()
    assert (accepted.set_model, accepted.model, accepted.conflicts) == ("H100", "H100", [])
    assert (cleared.set_model, cleared.model, cleared.set_memory_total_gb) == ("", "H100", None)
    assert re.findall(r">(GPU-\d)<", page("physicalgpu_changelist", conflict="yes")) == []


def test_an_action_of_an_objects_page_leads_back_to_it(tenant: Tenant, ops: Client) -> None:
    card = new_card(tenant, "GPU-1", set_model="H200")
    address = reverse("admin:registry_physicalgpu_changelist")
    sent = {"action": "accept_seen", "_selected_action": [card.pk], "from_page": "1", "index": "0"}
    assert ops.post(address, sent)["Location"] == reverse("admin:registry_physicalgpu_change", args=[card.pk])


def test_prices_are_edited_in_the_list(tenant: Tenant, ops: Client) -> None:
    cards = [new_card(tenant, f"GPU-{number}") for number in range(2)]
    sent = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "2", "_save": "Save"}
    for number, card in enumerate(cards):
        sent |= {f"form-{number}-id": str(card.pk), f"form-{number}-cost_per_hour_usd": ["3.5", ""][number]}

    assert ops.post(reverse("admin:registry_physicalgpu_changelist"), sent).status_code == 302
    assert prices() == {"GPU-0": Decimal("3.5"), "GPU-1": None}


def test_an_edit_writes_no_column_that_a_sighting_may_have_written(tenant: Tenant, ops: Client) -> None:
    card = new_card(tenant, "GPU-1")
    address = reverse("admin:registry_physicalgpu_change", args=[card.pk])
    form = dict.fromkeys(ops.get(address).context["adminform"].form.fields, "")
    with CaptureQueriesContext(connection) as captured:
        assert (
            ops.post(address, {**form, "labels": "{}", "initial-labels": "{}", "set_model": "H200"}).status_code == 302
        )
    (update,) = [query["sql"] for query in captured if query["sql"].startswith('UPDATE "registry_physicalgpu"')]
    assert re.findall(r'"(\w+)" =', update.partition("WHERE")[0]) == ["set_model"]


def test_the_history_tells_who_changed_what_from_what_to_what(tenant: Tenant, act: Act, page: Page) -> None:
    card = new_card(tenant, "GPU-1")
    card.history.all().delete()  # as of a card that a sighting registered
    act("set_price", [card], answered="1", price="2.85")
    act("set_price", [card], answered="1", price="3.1")

    rows = [
        " ".join(re.sub(r"<[^>]*>", " ", row).split())
        for row in re.findall(r"<tr>.*?</tr>", page("physicalgpu_history", card.pk), re.DOTALL)[1:]
    ]
    assert [row.partition(" ops ")[2] for row in rows] == [
        "changed price per hour (USD) 2.85 → 3.1",
        "changed price per hour (USD) nothing → 2.85",
    ]


def test_the_history_outlives_what_it_names(tenant: Tenant, act: Act, page: Page) -> None:
    card = new_card(tenant, "GPU-1")
    target = Node.objects.create(tenant=tenant, name="node-9")
    act("move_to_node", [card], answered="1", node=target.pk)
    assert "node-9" in page("physicalgpu_history", card.pk)
    target.delete()
    assert "deleted since" in page("physicalgpu_history", card.pk)


@pytest.mark.parametrize("label", ["team=search", "team"])
def test_cards_are_found_by_their_labels(tenant: Tenant, page: Page, label: str) -> None:
    new_card(tenant, "GPU-1", labels={"team": "search"})
    new_card(tenant, "GPU-2", labels={"rack": "b7"})
    assert re.findall(r">(GPU-\d)<", page("physicalgpu_changelist", label=label)) == ["GPU-1"]


def test_who_may_only_look_changes_nothing(tenant: Tenant, client: Client) -> None:
    card = new_card(tenant, "GPU-1", set_model="H200")
    viewer = staff(client, "view_physicalgpu")
    address = reverse("admin:registry_physicalgpu_changelist")

    assert viewer.get(address).status_code == 200
    for action in ("set_price", "accept_seen", "clear_corrections"):
        viewer.post(address, {"action": action, "_selected_action": [card.pk], "answered": "1", "price": "9"})
    card.refresh_from_db()
    assert (card.cost_per_hour_usd, card.set_model) == (None, "H200")
    page = viewer.get(reverse("admin:registry_physicalgpu_change", args=[card.pk])).content.decode()
    assert "Accept what was seen" not in page
