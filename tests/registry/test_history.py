"""Who changed what in the registry, by the admin and by REST; sightings are no changes of anybody's."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext, Tenant
from registry.sync import sync_registry
from tests.keys import make_key
from tests.registry.conftest import CARD, SLICE, See

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]


def history(model: Any) -> list[tuple[str, str, str | None]]:
    """Return what happened, oldest first: what kind of change, by whom, and by which user."""
    rows = model.history.order_by("history_id").values_list("history_type", "actor", "history_user__username")
    return list(rows)


def test_the_history_of_an_edit_by_rest_names_the_key(client: Client) -> None:
    key = make_key(scopes=["admin"], name="dashboard")
    headers = {"Authorization": f"Bearer {key}"}
    address = "/api/v1/physical-gpus"
    body = {"uuid": "GPU-1", "node_id": "node-1"}
    client.post(address, body, content_type="application/json", headers=headers)
    client.patch(f"{address}/GPU-1", {"model": "H200"}, content_type="application/json", headers=headers)
    many = [{"uuid": "GPU-1", "cost_per_hour_usd": 2}, {"uuid": "GPU-2"}]
    client.post(f"{address}/bulk", many, content_type="application/json", headers=headers)
    client.delete(f"{address}/GPU-2", headers=headers)

    who = f"{key[:11]} (dashboard)"
    assert sorted(history(PhysicalGPU)) == [("+", who, None)] * 2 + [("-", who, None)] + [("~", who, None)] * 2
    assert history(Node) == [("+", who, None)]
    first, second, third = PhysicalGPU.history.filter(uuid="GPU-1").order_by("history_id")
    assert second.diff_against(first).changed_fields == ["set_model"]
    assert third.diff_against(second).changed_fields == ["cost_per_hour_usd"]


def test_the_history_of_an_edit_by_the_admin_names_the_user(client: Client) -> None:
    ops = User.objects.create_superuser("ops")
    client.force_login(ops)
    tenant = Tenant.objects.get()
    form = {"tenant": tenant.pk, "name": "rack-7", "labels": "{}"}
    assert client.post(reverse("admin:registry_node_add"), form).status_code == 302
    assert history(Node) == [("+", "ops", "ops")]
    ops.delete()
    assert history(Node) == [("+", "ops", None)]


def test_the_history_of_an_edit_without_a_key_names_this_machine(client: Client) -> None:
    client.post("/api/v1/nodes", {"node_id": "node-1"}, content_type="application/json")
    assert history(Node) == [("+", "a program on this machine", None)]


def test_sightings_write_no_history(see: See) -> None:
    see(resource_uuid=SLICE, physical_uuid=CARD, node_id="node-1", user_label="cuda:0", model="H100")
    sync_registry()
    see(resource_uuid=SLICE, physical_uuid=CARD, node_id="node-2", user_label="cuda:1", model="H200")
    sync_registry()
    assert [history(model) for model in (Node, PhysicalGPU, ComputeResource, ResourceContext)] == [[]] * 4
