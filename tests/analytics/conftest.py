"""What the tests of the API share: a way to ask it, and sight of the queries that it makes."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.test import Client

Get = Callable[..., dict[str, Any]]
Write = Callable[..., dict[str, Any]]


@pytest.fixture
def get(client: Client) -> Get:
    """Ask the API: `get("/traces", limit=1)` returns the answer's JSON; its status must be `status`, else 200."""

    def ask(
        path: str, parameters: Mapping[str, Any] | None = None, *, status: int = 200, **more: Any
    ) -> dict[str, Any]:
        answer = client.get(f"/api/v1{path}", {**(parameters or {}), **more})
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/json"
        body: dict[str, Any] = answer.json()
        return body

    return ask


@pytest.fixture
def write(client: Client) -> Write:
    """Change something: `write("patch", "/physical-gpus/GPU-1", model="H200")` returns the answer's JSON, if any.

    The body is `body`, else the named fields; the status must be `status`, else the usual one of the method.
    """

    def ask(method: str, path: str, body: Any = None, *, status: int | None = None, **fields: Any) -> dict[str, Any]:
        usual = {"post": 201, "delete": 204}.get(method, 200)
        sent = (fields if body is None else body) if method != "delete" else None
        answer = getattr(client, method)(f"/api/v1{path}", sent, content_type="application/json")
        assert answer.status_code == (status or usual), answer.content
        return dict(answer.json()) if answer.content else {}

    return ask


@pytest.fixture
def queries(clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the SQL, as it comes, of every query that goes to ClickHouse from now on."""
    seen: list[str] = []
    ask, ask_raw = clickhouse.query, clickhouse.raw_query

    def query(sql: str, *args: Any, **kwargs: Any) -> Any:
        seen.append(sql)
        return ask(sql, *args, **kwargs)

    def raw_query(sql: str, *args: Any, **kwargs: Any) -> Any:
        seen.append(sql)
        return ask_raw(sql, *args, **kwargs)

    monkeypatch.setattr(clickhouse, "query", query)
    monkeypatch.setattr(clickhouse, "raw_query", raw_query)
    return seen


def wrong(answer: dict[str, Any]) -> set[str]:
    """Return the parameters that a 400 names."""
    assert answer["type"] == "validation_error"
    assert all(error["code"] and error["detail"] for error in answer["errors"])
    return {error["attr"] for error in answer["errors"]}


def register(clickhouse: ClickHouse, **columns: Any) -> None:
    """Put a resource into the registry's mirror, as ops would by the admin."""
    row = {
        "tenant": "default",
        "physical_uuid": "",
        "model": "",
        "vendor": "",
        "node_id": "",
        "resource_type": "",
        **columns,
    }
    clickhouse.insert("registry_resources", [[*row.values(), 1]], column_names=[*row, "version"])
    clickhouse.command("SYSTEM RELOAD DICTIONARY registry")
