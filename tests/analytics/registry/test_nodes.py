"""/nodes, and the labels of nodes, cards and resources."""

from typing import Any

import pytest

from registry.models import Node, PhysicalGPU, Tenant
from registry.sync import sync_registry
from tests.analytics.conftest import Get, Write, wrong
from tests.analytics.registry.records import CARDS, NEVER_SEEN, RESOURCES
from tests.conftest import Ingest
from tests.otlp import gpu, request, span

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clickhouse", "queue")]

BLANK: dict[str, Any] = {
    **dict.fromkeys(("cloud_provider", "region", "zone", "machine_type", "driver_version", "cuda_version"), ""),
    "labels": {},
}


def test_a_node_is_created_read_changed_replaced_and_deleted(get: Get, write: Write) -> None:
    created = write("post", "/nodes", node_id="rack 7/ü", region="us-east-1")
    assert created == {"node_id": "rack 7/ü", **BLANK, "region": "us-east-1", **NEVER_SEEN}
    address = "/nodes/rack 7/ü"
    assert get(address) == created
    assert write("patch", address, driver_version="570.86.15") == created | {"driver_version": "570.86.15"}
    assert write("put", address, node_id="rack 7/ü") == created | {"region": ""}
    assert wrong(write("patch", address, node_id="rack 8", status=400)) == {"node_id"}
    assert wrong(write("post", "/nodes", node_id="rack 7/ü", status=400)) == {"node_id"}
    write("delete", address)
    get(address, status=404)


def test_spans_register_nodes_and_a_deleted_one_leaves_its_cards(ingest: Ingest, get: Get, write: Write) -> None:
    def see() -> None:
        ingest(request(span(attributes=gpu(0, resource_uuid="MIG-1", physical_uuid="GPU-1", node_id="node-1"))))
        sync_registry()

    see()
    (node,) = get("/nodes")["nodes"]
    assert (node["node_id"], node["last_seen"] is None) == ("node-1", False)
    write("patch", "/nodes/node-1", labels={"rack": "b7"})
    write("delete", "/nodes/node-1")
    assert get(f"{CARDS}/GPU-1")["node_id"] == ""
    see()
    assert get(f"{CARDS}/GPU-1")["node_id"] == "node-1"


def test_each_filter_finds_the_node_that_it_speaks_of(get: Get, write: Write) -> None:
    fields = {
        "cloud_provider": "aws",
        "region": "us-east-1",
        "zone": "us-east-1a",
        "machine_type": "p5.48xlarge",
        "driver_version": "570.86.15",
        "cuda_version": "12.8",
    }
    write("post", "/nodes", fields | {"node_id": "dgx-2", "labels": {"team": "search"}})
    write("post", "/nodes", node_id="mi-1")
    for name, value in {**fields, "node_id": "dgx-2", "labels.team": "search", "q": "P5"}.items():
        assert [each["node_id"] for each in get("/nodes", {name: value})["nodes"]] == ["dgx-2"], name
    assert [each["node_id"] for each in get("/nodes")["nodes"]] == ["dgx-2", "mi-1"]


@pytest.mark.parametrize("kind", ["/nodes", CARDS, RESOURCES])
def test_labels_are_texts_and_lists_are_filtered_by_them(get: Get, write: Write, kind: str) -> None:
    key = "node_id" if kind == "/nodes" else "uuid"
    write("post", kind, {key: "one", "labels": {"team": "search", "rack": "b7"}})
    write("post", kind, {key: "two", "labels": {"team": "ads"}})
    assert get(kind, {"labels.team": "search"})["total"] == 1
    assert get(kind, {"labels.team": "ads", "labels.rack": "b7"})["total"] == 0
    if kind == RESOURCES:
        assert get("/gpus", {"labels.team": "search"})["total"] == 1
    refused: list[Any] = [{"team": 5}, {"team": None}, {"team": ["a"]}, [], "team", None]
    for labels in refused:
        assert wrong(write("patch", f"{kind}/one", {"labels": labels}, status=400)) == {"labels"}, labels


def test_of_another_tenant_nothing_is_seen_and_its_node_names_are_free(get: Get, write: Write) -> None:
    other = Tenant.objects.create(slug="vision-lab", name="Vision Lab")
    theirs = Node.objects.create(tenant=other, name="node-1")
    assert get("/nodes")["total"] == 0
    get("/nodes/node-1", status=404)
    write("post", CARDS, uuid="GPU-1", node_id="node-1")
    assert PhysicalGPU.objects.get().node != theirs
