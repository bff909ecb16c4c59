"""What a process remembers of resources: as much as fits into a bound, and of each tenant what it sent."""

import json
import os

from clickhouse_connect.driver import Client as ClickHouse

from analytics.queries.resources import ResourceTexts, resource_texts
from tests.analytics.conftest import Get
from tests.conftest import Ingest
from tests.otlp import request, span


def test_those_asked_for_last_are_kept_up_to_the_bound() -> None:
    texts = ResourceTexts(max_bytes=10)
    texts.put("t", {b"a": b"1234", b"b": b"1234"})
    assert texts.get("t", [b"a"]) == {b"a": b"1234"}
    texts.put("t", {b"c": b"1234"})
    assert texts.get("t", [b"a", b"b", b"c"]) == {b"a": b"1234", b"c": b"1234"}
    texts.put("t", {b"large": b"x" * 11})
    assert texts.get("t", [b"a", b"b", b"c", b"large"]) == {}
    texts.put("t", {b"d": b"1234567890"})
    texts.put("t", {b"d": b"1234567890"})
    assert texts.get("t", [b"d"]) == {b"d": b"1234567890"}, "what is put twice counts once"


def test_what_one_tenant_has_another_does_not() -> None:
    texts = ResourceTexts(max_bytes=100)
    texts.put("one", {b"a": b"1"})
    assert texts.get("other", [b"a"]) == {}


def test_of_equal_resources_each_tenant_asks_once_for_its_own(
    clickhouse: ClickHouse, ingest: Ingest, queries: list[str]
) -> None:
    body = request(span(), resource={"service.name": os.urandom(8).hex()})
    ingest(body, tenant="one")
    ingest(body, tenant="other")
    rows = clickhouse.query("SELECT DISTINCT hex(resource_id) FROM resources").result_rows
    (resource_id,) = (f'"{one}"'.encode() for (one,) in rows)  # the id is a hash of the attributes
    queries.clear()
    for _ in range(2):
        for tenant in ("one", "other"):
            assert json.loads(resource_texts(tenant=tenant, resource_ids=[resource_id])[resource_id]).keys() == {
                "service.name"
            }
    assert len(queries) == 2
    assert resource_texts(tenant="third", resource_ids=[resource_id]) == {}


def test_a_resource_that_is_not_stored_yet_is_asked_for_again(clickhouse: ClickHouse, ingest: Ingest, get: Get) -> None:
    trace = os.urandom(16)
    ingest(request(span(trace_id=trace), resource={"service.name": os.urandom(8).hex(), "late": "1"}))
    stored = clickhouse.query("SELECT * FROM resources").result_rows
    clickhouse.command("TRUNCATE TABLE resources")
    (shown,) = get(f"/traces/{trace.hex()}")["spans"]
    assert shown["resource"] == {}
    clickhouse.insert("resources", stored)
    (shown,) = get(f"/traces/{trace.hex()}")["spans"]
    assert shown["resource"]["late"] == "1"
