"""docs/api.md shows every endpoint, and its examples run and say what the server answers."""

import ast
import functools
import json
import operator
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any, Literal

import pytest
from pytest_django.live_server_helper import LiveServer

from registry.sync import sync_registry
from tests import examples
from tests.conftest import Ingest
from tests.examples import Call, Session
from tests.keys import make_key
from tests.openapi import read_document, schema_of, validate
from tests.test_demo import Collector, run_demo, serving

METHODS = {"get", "post", "put", "patch", "delete"}
OF_SHELL, OF_PYTHON = ([each for each in examples.blocks() if each.language == name] for name in ("sh", "python"))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return read_document()


def operations(document: dict[str, Any]) -> set[Call]:
    return {
        Call(method.upper(), path) for path, of_path in document["paths"].items() for method in METHODS & of_path.keys()
    }


def template_of(path: str, document: dict[str, Any]) -> str:
    """Return the documented path that an address is one of, the one that leaves least open."""
    fitting: list[str] = [each for each in document["paths"] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", each), path)]
    assert fitting, f"{path} is documented nowhere"
    return min(fitting, key=lambda each: each.count("{"))


@pytest.mark.parametrize(
    "calls",
    [
        [call for block in OF_SHELL for call in examples.curl_calls(block)],
        [call for block in OF_PYTHON for call in examples.python_calls(block)],
    ],
    ids=["curl", "python"],
)
def test_every_operation_has_an_example_and_every_example_an_operation(
    document: dict[str, Any], calls: list[Call]
) -> None:
    assert {Call(call.method, template_of(call.path, document)) for call in calls} == operations(document)


def test_every_endpoint_has_a_heading_of_its_own(document: dict[str, Any]) -> None:
    headings = re.findall(r"^### (?:[A-Z]+ )?(/\S+)$", examples.PAGE.read_text(), re.MULTILINE)
    under = {
        path
        for path in document["paths"]
        if any(
            path in (each, *(f"{each}/{end}" for end in ("{uuid}", "{node_id}", "{id}", "bulk"))) for each in headings
        )
    }
    assert under == document["paths"].keys()
    assert set(headings) <= document["paths"].keys()


def test_the_python_examples_satisfy_a_strict_type_checker(tmp_path: Path) -> None:
    module = tmp_path / "api_examples.py"
    module.write_text(examples.python_module())
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(module)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_types_of_the_python_examples_are_those_of_the_answers(document: dict[str, Any]) -> None:
    models = document["components"]["schemas"]
    types = types_of_the_page()
    for name in sorted(shown_models(document)):
        model, of_page = models[name], types[name]
        assert {key: type_of(field, types) for key, field in model["properties"].items()} == typing.get_type_hints(
            of_page, types
        ), name
        assert of_page.__required_keys__ == set(model.get("required", [])), name


def types_of_the_page() -> dict[str, Any]:
    """Return what the page's imports and classes define, by name."""
    module = ast.parse(examples.python_module())
    module.body = [each for each in module.body if isinstance(each, ast.ClassDef | ast.Import | ast.ImportFrom)]
    names: dict[str, Any] = {}
    exec(compile(module, examples.PAGE, "exec"), names)  # noqa: S102  our own page
    return names


def shown_models(document: dict[str, Any]) -> set[str]:
    """Return the names of all models that answers are made of, errors too."""
    answers = [operation["responses"] for path in document["paths"].values() for operation in path.values()]
    found: set[str] = set()
    waiting = {name for answer in answers for name in references(answer)}
    while waiting:
        found |= waiting
        waiting = {inner for name in waiting for inner in references(document["components"]["schemas"][name])} - found
    return found


def references(value: Any) -> set[str]:
    return set(re.findall(r"'#/components/schemas/(\w+)'", repr(value)))


def type_of(field: dict[str, Any], types: dict[str, Any]) -> Any:
    """Return the Python type of a field of the OpenAPI document."""
    match field:
        case {"$ref": reference} | {"allOf": [{"$ref": reference}]}:
            plain = types[reference.rpartition("/")[2]]
        case {"type": "array", "items": items}:
            plain = list[type_of(items, types)]  # type: ignore[misc]  # a type that is made here
        case {"type": "object"}:
            plain = dict[str, Any]
        case {"oneOf": kinds}:
            plain = functools.reduce(operator.or_, (type_of(each, types) for each in kinds))
        case {"enum": values}:
            plain = Literal[tuple(values)]
        case {"type": name}:
            plain = {"string": str, "number": float, "integer": int, "boolean": bool}[name]
    return plain | None if field.get("nullable") else plain


@pytest.fixture
def session(ingest: Ingest, live_server: LiveServer, tmp_path: Path) -> Session:
    """Return a session with a server that has a quarter of an hour of the demo's fleet, and a key for all of it."""
    with serving(Collector()) as collector:
        run_demo(collector.endpoint, "--for", "0s", "--backfill", "15m")
        ingest(*collector.requests)
    assert sync_registry()
    environment = {"AXONIZE": live_server.url, "AXONIZE_KEY": make_key(scopes=["admin"])}
    return Session(tmp_path, environment)


def test_the_examples_run_in_the_pages_order_and_answer_as_documented(
    session: Session, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AXONIZE", "AXONIZE_KEY"):
        monkeypatch.setenv(name, session.environment[name])
    schema = schema_of(document)
    for block in examples.blocks():
        answers = session.run(block)
        assert len(answers) == len(re.findall(r"\bcurl -s\b", block.text)), block
        for answer in answers:
            assert answer.status in {200, 201, 204}, answer
            path = template_of(answer.path, document)
            validate(
                schema,
                answer.method,
                path,
                status=answer.status,
                content_type=answer.content_type,
                body=answer.body,
            )
            shown = json.loads(answer.body or "{}")
            told = [value for name, value in shown.items() if name not in {"set", "conflicts"}]  # which are rare
            assert [] not in told, f"{answer.path} shows a reader nothing"
