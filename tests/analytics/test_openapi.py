"""The OpenAPI document: complete, true to the answers, and readable without the internet."""

import os
import re
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from tests.analytics.conftest import Get
from tests.conftest import Ingest
from tests.otlp import ERROR, gpu, request, span


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Return the document as the server gives it out."""
    document: dict[str, Any] = yaml.safe_load(Client().get("/api/schema").content)
    return document


def test_it_is_valid_and_complete_enough_to_raise_no_warning(tmp_path: os.PathLike[str]) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=os.path.join(tmp_path, "schema.yaml"))  # noqa: PTH118


def test_every_operation_names_its_errors_in_the_one_shape(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            errors = {code: body for code, body in operation["responses"].items() if code[0] in "45"}
            assert {"400", "405", "500"} <= errors.keys(), (method, path)
            if path.startswith("/api/v1/"):
                assert {"503", "422"} <= errors.keys(), (method, path)
                refs = {body["content"]["application/json"]["schema"]["$ref"] for body in errors.values()}
                assert refs == {"#/components/schemas/Error"}


def test_the_parameters_that_the_contract_names_are_documented(schema: dict[str, Any]) -> None:
    shared = {"start", "end", "service_name", "environment", "model_name", "resource_uuid", "physical_uuid", "node_id"}
    page = {"limit", "offset", "cursor"}
    expected = {
        "/api/v1/traces": shared
        | page
        | {"name", "status", "min_duration_ms", "max_duration_ms", "attr.KEY", "order_by"},
        "/api/v1/traces/{trace_id}": {"trace_id"},
        "/api/v1/traces/{trace_id}/spans": page | {"trace_id", "model_name", "service_name", "status", "name"},
        "/api/v1/analytics/overview": shared,
    }
    for path, names in expected.items():
        assert {one["name"] for one in schema["paths"][path]["get"]["parameters"]} == names


def conforms(schema: dict[str, Any], name: str, value: dict[str, Any]) -> None:
    """Check that the value has every required and no undocumented field, all the way down."""
    model = schema["components"]["schemas"][name]
    assert set(model.get("required", [])) <= value.keys() <= model["properties"].keys(), name
    for key, field in model["properties"].items():
        inner = field.get("items", field)
        reference = inner.get("$ref") or next((one["$ref"] for one in inner.get("allOf", [])), None)
        if reference and value.get(key) is not None:
            children = value[key] if "items" in field else [value[key]]
            for child in children:
                conforms(schema, reference.rpartition("/")[2], child)


def test_answers_have_exactly_the_documented_fields(ingest: Ingest, get: Get, schema: dict[str, Any]) -> None:
    trace, root = os.urandom(16), os.urandom(8)
    ingest(
        request(
            span(trace_id=trace, span_id=root),
            span(
                trace_id=trace,
                parent_span_id=root,
                status=ERROR,
                message="x",
                attributes={"gen_ai.request.model": "m", **gpu(0, resource_uuid="MIG-1")},
            ),
        )
    )
    conforms(schema, "TracePage", get("/traces"))
    conforms(schema, "Trace", get(f"/traces/{trace.hex()}"))
    conforms(schema, "SpanPage", get(f"/traces/{trace.hex()}/spans"))
    conforms(schema, "Overview", get("/analytics/overview"))


def test_the_docs_are_a_page_whose_every_part_this_server_serves(client: Client) -> None:
    page = client.get("/api/docs").content.decode()
    assert not re.search(r"""["'](https?:)?//""", page)
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(parts) >= 3
    for part in parts:
        answer = client.get(part)
        assert (answer.status_code, bool(answer.getvalue())) == (200, True), part
    [script] = [part for part in parts if part.startswith("/api/docs")]
    own = client.get(script).content.decode()
    assert not re.search(r"""["'](https?:)?//""", own)
    assert "/api/schema" in own


def test_the_front_door_leads_to_the_docs(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/api/docs")
