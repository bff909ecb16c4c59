"""Two who edit the same object: the second is told that what he read has changed."""

from typing import Any

import pytest
from django.test import Client

from registry.models import PhysicalGPU
from registry.sync import sync_registry
from tests.analytics.registry.records import CARD, CARDS, CONTEXTS, RESOURCES, T1, T2, address_of
from tests.conftest import Ingest
from tests.otlp import gpu, request, span

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]

ADDRESS = f"/api/v1{CARDS}/{CARD['uuid']}"


def patch(client: Client, fields: dict[str, Any], **headers: str) -> Any:
    return client.patch(ADDRESS, fields, content_type="application/json", headers=headers)


@pytest.mark.usefixtures("card")
def test_of_two_editors_the_second_is_refused_until_he_reads_again(client: Client) -> None:
    read = client.get(ADDRESS)["ETag"]
    first = patch(client, {"model": "H200"}, **{"If-Match": read})
    assert first.status_code == 200
    second = patch(client, {"model": "B200"}, **{"If-Match": read})
    assert (second.status_code, second.json()["errors"][0]["code"]) == (412, "precondition_failed")
    assert PhysicalGPU.objects.get().model == "H200"

    assert first["ETag"] == client.get(ADDRESS)["ETag"] != read
    assert patch(client, {"model": "B200"}, **{"If-Match": first["ETag"]}).status_code == 200


def test_every_kind_and_every_writing_method_is_held_to_what_was_read(client: Client, context: dict[str, Any]) -> None:
    for kind in (CARDS, RESOURCES, CONTEXTS, "/nodes"):
        address = f"/api/v1/nodes/{CARD['node_id']}" if kind == "/nodes" else f"/api/v1{address_of(kind, context)}"
        body = client.get(address)
        for method in ("put", "patch", "delete"):
            ask = getattr(client, method)
            refused = ask(address, body.json(), content_type="application/json", headers={"If-Match": '"old"'})
            assert refused.status_code == 412, (method, address)
        for wanted in (body["ETag"], f'"old", {body["ETag"]}', "*"):
            taken = client.put(address, body.json(), content_type="application/json", headers={"If-Match": wanted})
            assert (taken.status_code, taken["ETag"]) == (200, body["ETag"])


@pytest.mark.usefixtures("card")
def test_without_a_condition_whatever_is_there_is_changed(client: Client) -> None:
    assert patch(client, {"model": "H200"}).status_code == 200


@pytest.mark.usefixtures("card")
def test_being_seen_is_no_change_but_what_is_seen_is(client: Client, ingest: Ingest) -> None:
    read = client.get(ADDRESS)["ETag"]
    PhysicalGPU.objects.update(first_seen=T1, last_seen=T2)
    assert client.get(ADDRESS)["ETag"] == read
    ingest(request(span(attributes=gpu(0, resource_uuid="MIG-1", physical_uuid=CARD["uuid"], model="A100"))))
    sync_registry()
    assert client.get(ADDRESS)["ETag"] != read


@pytest.mark.usefixtures("card")
def test_a_weak_tag_matches_nothing(client: Client) -> None:
    read = client.get(ADDRESS)["ETag"]
    assert patch(client, {"model": "H200"}, **{"If-Match": f"W/{read}"}).status_code == 412
