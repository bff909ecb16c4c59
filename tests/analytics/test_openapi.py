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

# A read may cost too much, a body may be too large or no JSON.
BY_METHOD = {"get": {"422"}, "delete": set[str](), **{each: {"413", "415"} for each in ("post", "put", "patch")}}


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
                assert {"503", *BY_METHOD[method]} <= errors.keys(), (method, path)
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
        "/api/v1/spans": shared
        | page
        | {"name", "status", "min_duration_ms", "max_duration_ms", "attr.KEY", "order_by"},
        "/api/v1/analytics/overview": shared,
        "/api/v1/analytics/latency": shared | {"of", "group_by", "bucket"},
        "/api/v1/analytics/throughput": shared | {"group_by", "bucket"},
        "/api/v1/analytics/services": shared | {"limit"},
        "/api/v1/analytics/models": shared | {"limit"},
        "/api/v1/analytics/gpus": shared | {"limit"},
        "/api/v1/nodes": page
        | {"node_id", "cloud_provider", "region", "zone", "machine_type", "driver_version", "cuda_version"}
        | {"seen_since", "q", "labels.KEY"},
        "/api/v1/gpus/{resource_uuid}/contexts": page | {"resource_uuid", "at"},
        "/api/v1/physical-gpus": page
        | {"uuid", "node_id", "model", "vendor", "conflicts", "seen_since", "q", "labels.KEY"},
        "/api/v1/physical-gpus/{uuid}": {"uuid"},
        "/api/v1/physical-gpus/{uuid}/metrics": {"uuid", "start", "end", "step", "aggregate"},
        "/api/v1/compute-resources": page
        | {"uuid", "physical_uuid", "node_id", "model", "vendor", "resource_type", "label", "seen_since", "q"}
        | {"conflicts", "retired", "labels.KEY"},
        "/api/v1/resource-contexts": page
        | {"resource_uuid", "physical_uuid", "label", "user_label", "hostname", "pod", "process_id", "open", "at"}
        | {"seen_since", "q", "labels.KEY"},
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


REGISTRY = {
    "/api/v1/nodes": "Node",
    "/api/v1/physical-gpus": "PhysicalGpu",
    "/api/v1/compute-resources": "ComputeResource",
    "/api/v1/resource-contexts": "ResourceContext",
}


def test_bodies_of_the_registry_are_documented_with_all_that_can_be_written(schema: dict[str, Any]) -> None:
    for address, name in REGISTRY.items():
        models = schema["components"]["schemas"]
        answer, body, change = models[name], models[f"{name}Request"], models[f"Patched{name}Request"]
        assert set(answer["required"]) == answer["properties"].keys()
        writable = {key for key, field in answer["properties"].items() if not field.get("readOnly")}
        assert body["properties"].keys() == change["properties"].keys() == writable
        assert body["additionalProperties"] is change["additionalProperties"] is False
        assert (set(body["required"]), "required" in change) == (
            {"ResourceContext": {"resource_uuid", "attached_at"}, "Node": {"node_id"}}.get(name, {"uuid"}),
            False,
        )
        one = next(path for path in schema["paths"] if path.startswith(f"{address}/{{") and path.endswith("}"))
        assert schema["paths"][address].keys() == {"get", "post"}
        assert schema["paths"][one].keys() == {"get", "put", "patch", "delete"}


@pytest.mark.django_db
@pytest.mark.usefixtures("queue")
def test_the_examples_of_the_registry_are_as_it_answers_and_takes(schema: dict[str, Any], client: Client) -> None:
    operations = schema["paths"]
    for address, name in REGISTRY.items():
        post = operations[address]["post"]
        (body,) = (one["value"] for one in post["requestBody"]["content"]["application/json"]["examples"].values())
        created = client.post(address, body, content_type="application/json")
        assert created.status_code == 201, created.content
        (shown,) = (
            one["value"] for one in post["responses"]["201"]["content"]["application/json"]["examples"].values()
        )
        assert {key: created.json()[key] for key in body} == {key: shown[key] for key in body}
        conforms(schema, name, shown)
        listed = operations[address]["get"]["responses"]["200"]["content"]["application/json"]
        assert listed["schema"] == {"$ref": f"#/components/schemas/{name}Page"}
        (page,) = (one["value"] for one in listed["examples"].values())
        conforms(schema, f"{name}Page", page)
        conforms(schema, f"{name}Page", client.get(address).json())


ANALYTICS = {
    "/analytics/latency": "Latency",
    "/analytics/throughput": "Throughput",
    "/analytics/services": "Services",
    "/analytics/models": "Models",
    "/analytics/gpus": "GpuUsages",
}


@pytest.mark.django_db
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
                attributes={"gen_ai.request.model": "m", **gpu(0, resource_uuid="MIG-1", physical_uuid="GPU-1")},
            ),
        )
    )
    conforms(schema, "TracePage", get("/traces"))
    conforms(schema, "Trace", get(f"/traces/{trace.hex()}"))
    conforms(schema, "SpanPage", get(f"/traces/{trace.hex()}/spans"))
    conforms(schema, "FoundSpanPage", get("/spans"))
    listed = schema["paths"]["/api/v1/spans"]["get"]["responses"]["200"]["content"]["application/json"]
    conforms(schema, "FoundSpanPage", next(iter(listed["examples"].values()))["value"])
    conforms(schema, "Overview", get("/analytics/overview"))
    for path, name in ANALYTICS.items():
        conforms(schema, name, get(path))
        operation = schema["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]["content"]["application/json"]
        assert operation["schema"] == {"$ref": f"#/components/schemas/{name}"}
        (example,) = operation["examples"].values()
        conforms(schema, name, example["value"])
    conforms(schema, "PhysicalGpuMetrics", get("/physical-gpus/GPU-1/metrics"))


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
