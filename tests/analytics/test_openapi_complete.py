"""The OpenAPI document says of each operation what it does, takes, answers and refuses, with examples that are true."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.keys import bearer, make_key
from tests.openapi import read_document, schema_of, validate

REMOTE = "203.0.113.7"
WITH_BODY = {"post", "put", "patch"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return read_document()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, of_path in document["paths"].items():
        for method, operation in of_path.items():
            yield method, path, operation


def refusals(method: str, path: str) -> set[str]:
    """Return the statuses of errors that an operation has."""
    if not path.startswith("/api/v1/"):
        return {"400", "405", "406", "500"}
    of_all = {"400", "401", "403", "405", "406", "429", "500", "503"}
    of_address = {"404"} if "{" in path else set()
    of_question = {"422"} if method == "get" else {"413", "415"} if method in WITH_BODY else set()
    is_of_registry = path.rpartition("/")[2] in {"{uuid}", "{node_id}", "{id}"}
    of_condition = {"412"} if is_of_registry and method in {"put", "patch", "delete"} else set()
    return of_all | of_address | of_question | of_condition


def test_every_operation_has_a_name_a_summary_a_description_and_a_tag(document: dict[str, Any]) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for method, path, operation in operations(document):
        assert operation["summary"], (method, path)
        assert operation["description"].endswith("."), (method, path)
        assert [tags[tag] for tag in operation["tags"]], (method, path)
    assert all(tags.values())
    assert tags.keys() == {tag for _, _, operation in operations(document) for tag in operation["tags"]}


def test_every_parameter_is_described_and_has_a_schema(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (method, path, parameter["name"])
            assert parameter["schema"].get("type"), (method, path, parameter["name"])


def test_every_answer_that_has_a_body_has_an_example_that_is_one(document: dict[str, Any]) -> None:
    schema = schema_of(document)
    for method, path, operation in operations(document):
        answers = {status: answer for status, answer in operation["responses"].items() if status[0] == "2"}
        assert answers, (method, path)
        for status, answer in answers.items():
            assert answer["description"], (method, path)
            assert ("content" in answer) == (status != "204"), (method, path)
            for media_type, body in answer.get("content", {}).items():
                assert body["examples"], (method, path)
                for example in body["examples"].values():
                    shown = json.dumps(example["value"]).encode()
                    validate(schema, method, path, status=int(status), content_type=media_type, body=shown)


def test_every_body_that_is_taken_is_json_and_has_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert ("requestBody" in operation) == (method in WITH_BODY), (method, path)
        if method in WITH_BODY:
            ((media_type, body),) = operation["requestBody"]["content"].items()
            assert media_type == "application/json"
            one = body["schema"]["items"] if path.endswith("/bulk") else body["schema"]
            assert one["$ref"].endswith("Request")
            assert body["examples"], (method, path)


def test_every_operation_names_all_of_its_refusals_with_reason_and_example(document: dict[str, Any]) -> None:
    examples = document["components"]["examples"]
    for method, path, operation in operations(document):
        errors = {status: answer for status, answer in operation["responses"].items() if status[0] in "45"}
        if path == "/readyz":
            assert errors.pop("503")["content"]["application/json"]["examples"]
        assert errors.keys() == refusals(method, path), (method, path)
        for status, answer in errors.items():
            assert answer["description"], (method, path, status)
            assert ("Retry-After" in answer.get("headers", {})) == (status in {"429", "503"})
            body = answer["content"]["application/json"]
            assert body["schema"] == {"$ref": "#/components/schemas/Error"}
            (example,) = body["examples"].values()
            assert examples[example["$ref"].rpartition("/")[2]]["value"]["errors"], (method, path, status)


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse", "queue")
def test_the_examples_of_refusals_are_what_one_is_told(document: dict[str, Any], client: Client) -> None:
    cards = "/api/v1/physical-gpus"
    client.post(cards, {"uuid": "GPU-1"}, content_type="application/json")
    told = {
        "400": client.get("/api/v1/traces?start=yesterday"),
        "401": client.get(cards, REMOTE_ADDR=REMOTE),
        "403": client.delete(f"{cards}/GPU-1", headers=bearer(make_key())),
        "404": client.get("/api/v1/nothing"),
        "405": client.post("/api/v1/traces"),
        "406": client.get(cards, headers={"accept": "text/html"}),
        "412": client.delete(f"{cards}/GPU-1", headers={"if-match": '"old"'}),
        "413": client.post(cards, "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1), content_type="application/json"),
        "415": client.post(cards, "uuid", content_type="text/plain"),
    }
    for status, answer in told.items():
        assert answer.status_code == int(status)
        assert answer.json() == document["components"]["examples"][f"Error{status}"]["value"], status
