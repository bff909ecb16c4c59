"""What the registry's endpoints take from nobody: each a 400 that names what is wrong, and nothing is changed."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.analytics.conftest import Get, Write, wrong
from tests.analytics.registry.records import (
    CARD,
    CARDS,
    CONTEXT,
    CONTEXTS,
    RESOURCES,
    SLICE,
    T2,
    address_of,
    another,
    body_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]

NESTED: Any = 1
for _ in range(8):
    NESTED = {"deeper": NESTED}

MEMORIES: list[Any] = [0, -1, 1e6, 10**400, "80", True, []]
PRICES: list[Any] = [-0.01, "1,5", "NaN", "-Infinity", "", 1e12, 0.0000001, True, [1], {}]
UUIDS_OF_NO_CARD: list[Any] = ["GPU-none", "", 5, [], {"uuid": "GPU-5f2c1a9e"}, "GPU-\0"]
PROCESSES: list[Any] = ["42", 4.5, True, 2**63, -(2**63) - 1]
LABELS: list[Any] = [None, [], "team", {"a": "\0"}, {"\0": 1}, {"a": ["\udc00"]}, {"a": NESTED}, {"a": "x" * 4096}]
TIMES: list[Any] = ["yesterday", None, 1770458400, "2026-02-07"]
WRONG: list[tuple[str, dict[str, Any], set[str]]] = [
    (CARDS, {"uuid": ""}, {"uuid"}),
    (CARDS, {"uuid": "  "}, {"uuid"}),
    (CARDS, {"uuid": None}, {"uuid"}),
    (CARDS, {"uuid": 5}, {"uuid"}),
    (CARDS, {"uuid": "x" * 256}, {"uuid"}),
    (CARDS, {"uuid": "GPU-\0"}, {"uuid"}),
    (CARDS, {"uuid": "GPU-\ud800"}, {"uuid"}),
    (CARDS, {"model": 5, "vendor": ["NVIDIA"], "node_id": None}, {"model", "vendor", "node_id"}),
    *((CARDS, {"memory_total_gb": value}, {"memory_total_gb"}) for value in MEMORIES),
    *((CARDS, {"cost_per_hour_usd": value}, {"cost_per_hour_usd"}) for value in PRICES),
    (CARDS, {"price": 1, "seen": True}, {"price", "seen"}),
    (CARDS, {"price": 1, "model": 5}, {"price", "model"}),
    (CARDS, {"tenant": "other"}, {"tenant"}),
    (RESOURCES, {"uuid": ""}, {"uuid"}),
    (RESOURCES, {"resource_type": 5, "memory_total_gb": -1}, {"resource_type", "memory_total_gb"}),
    *((RESOURCES, {"physical_uuid": value}, {"physical_uuid"}) for value in UUIDS_OF_NO_CARD),
    (RESOURCES, {"physical": "GPU-5f2c1a9e"}, {"physical"}),
    *((CONTEXTS, {"resource_uuid": value}, {"resource_uuid"}) for value in ("MIG-none", "", None)),
    *((CONTEXTS, {"process_id": value}, {"process_id"}) for value in PROCESSES),
    *((CONTEXTS, {"labels": value}, {"labels"}) for value in LABELS),
    *((CONTEXTS, {"attached_at": value}, {"attached_at"}) for value in TIMES),
    (CONTEXTS, {"detached_at": "2026-02-07T09:59:59Z"}, {"detached_at"}),
    (CONTEXTS, {"attached_at": T2}, {"detached_at"}),
    (CONTEXTS, {"label": "cuda:0"}, {"label"}),
]


@pytest.mark.parametrize(("kind", "fields", "named"), WRONG, ids=lambda value: str(value)[:40])
def test_what_cannot_be_is_a_400_that_names_it_and_changes_nothing(
    write: Write, get: Get, context: dict[str, Any], kind: str, fields: dict[str, Any], named: set[str]
) -> None:
    before = get(kind)
    assert wrong(write("post", kind, another(kind) | fields, status=400)) == named
    address = address_of(kind, context)
    assert wrong(write("put", address, body_of(kind) | fields, status=400)) == named
    assert wrong(write("patch", address, fields, status=400)) == named
    assert get(kind) == before


@pytest.mark.parametrize("text", ["1e400", '{"a": -1e400}', '{"a": "\\u0000"}'])
def test_labels_that_only_json_can_hold_are_refused(client: Client, context: dict[str, Any], text: str) -> None:
    body = f'{{"labels": {text}}}'
    answer = client.patch(f"/api/v1{CONTEXTS}/{context['id']}", body, content_type="application/json")
    assert (answer.status_code, wrong(answer.json())) == (400, {"labels"})


@pytest.mark.parametrize("kind", [CARDS, RESOURCES, CONTEXTS])
def test_what_has_to_be_there_is_named(write: Write, kind: str) -> None:
    required = {"resource_uuid", "attached_at"} if kind == CONTEXTS else {"uuid"}
    assert wrong(write("post", kind, {}, status=400)) == required


@pytest.mark.parametrize("body", [[], "text", 5, True])
def test_a_body_is_an_object(client: Client, card: dict[str, Any], body: Any) -> None:
    del card
    for method, address in (("post", CARDS), ("put", f"{CARDS}/GPU-5f2c1a9e"), ("patch", f"{CARDS}/GPU-5f2c1a9e")):
        answer = getattr(client, method)(f"/api/v1{address}", json.dumps(body), content_type="application/json")
        assert answer.status_code == 400
        assert wrong(answer.json()) == {"non_field_errors"}


def test_of_many_unknown_fields_the_first_are_named(write: Write) -> None:
    body = {"uuid": "GPU-1"} | {f"x{number}": number for number in range(1000)}
    assert wrong(write("post", CARDS, body, status=400)) == {f"x{number}" for number in range(20)}


@pytest.mark.usefixtures("resource")
def test_a_uuid_is_there_once(write: Write) -> None:
    for kind, body in ((CARDS, CARD), (RESOURCES, SLICE)):
        answer = write("post", kind, body, status=400)
        assert wrong(answer) == {"uuid"}
        assert answer["errors"][0]["code"] == "unique"


@pytest.mark.usefixtures("resource")
def test_a_uuid_stays(write: Write, get: Get) -> None:
    for kind, body in ((CARDS, CARD), (RESOURCES, SLICE)):
        for method in ("put", "patch"):
            assert wrong(write(method, f"{kind}/{body['uuid']}", body | {"uuid": "new"}, status=400)) == {"uuid"}
        assert [each["uuid"] for each in get(kind)[kind.strip("/").replace("-", "_")]] == [body["uuid"]]


def test_a_holder_has_one_open_context_of_a_resource(write: Write, context: dict[str, Any]) -> None:
    opened = write("post", CONTEXTS, CONTEXT | {"detached_at": None})
    assert wrong(write("post", CONTEXTS, CONTEXT | {"detached_at": None}, status=400)) == {"detached_at"}
    assert wrong(write("patch", f"{CONTEXTS}/{context['id']}", {"detached_at": None}, status=400)) == {"detached_at"}
    write("patch", f"{CONTEXTS}/{opened['id']}", {"detached_at": T2})
    write("patch", f"{CONTEXTS}/{context['id']}", {"detached_at": None})


def test_a_context_moves_to_another_resource(write: Write, context: dict[str, Any]) -> None:
    write("post", RESOURCES, uuid="MIG-2")
    assert write("patch", f"{CONTEXTS}/{context['id']}", {"resource_uuid": "MIG-2"})["resource_uuid"] == "MIG-2"
