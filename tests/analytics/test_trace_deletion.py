"""DELETE /traces/{trace_id}."""

import os
import time
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.test import Client

from analytics.times import format_time
from tests.analytics.conftest import Get
from tests.conftest import Ingest
from tests.keys import bearer, make_key
from tests.otlp import SECOND_NS, gpu, request, span

NOW = time.time_ns()
LONG_AGO = {"start": format_time(NOW - 7200 * SECOND_NS), "end": format_time(NOW + 60 * SECOND_NS)}

pytestmark = pytest.mark.django_db


@pytest.fixture
def doomed(ingest: Ingest) -> str:
    """Store a trace of two batches and hours, and one that stays; returns the former's id."""
    trace_id = os.urandom(16)
    on_gpu = gpu(0, resource_uuid="GPU-1", utilization=50.0)
    for age_s in (7000, 10):
        ingest(
            request(
                span("doomed", trace_id=trace_id, start_ns=NOW - age_s * SECOND_NS, attributes={"a": "b", **on_gpu}),
                span("stays", start_ns=NOW - age_s * SECOND_NS, attributes=on_gpu),
            )
        )
    return trace_id.hex()


def names(answer: dict[str, Any]) -> set[str]:
    return {trace["root_span_name"] for trace in answer["traces"]}


def test_a_deleted_trace_is_gone_from_every_answer_and_no_other_is(
    client: Client, get: Get, doomed: str, clickhouse: ClickHouse
) -> None:
    answer = client.delete(f"/api/v1/traces/{doomed}")
    assert (answer.status_code, answer.content) == (204, b"")
    get(f"/traces/{doomed}", status=404)
    get(f"/traces/{doomed}/spans", status=404)
    assert names(get("/traces")) == {"stays"}
    assert get("/traces", {"attr.a": "b"})["total"] == get("/spans", {"attr.a": "b"})["total"] == 0
    assert get("/traces")["total"] == 2
    assert get("/analytics/overview", LONG_AGO)["total_spans"] == 2
    points = get("/gpus/GPU-1/metrics", LONG_AGO, step=3600)["metrics"]
    assert sum(point["active_spans"] for point in points) == 2
    for table in ("spans", "traces", "gpu_metrics", "trace_summaries"):
        left = clickhouse.query(
            "SELECT count() FROM {table:Identifier} WHERE trace_id = unhex({trace_id:String})",
            parameters={"table": table, "trace_id": doomed},
        )
        assert left.result_rows == [(0,)], table


def test_spans_of_a_deleted_trace_that_come_late_are_deleted_too(
    client: Client, ingest: Ingest, get: Get, doomed: str
) -> None:
    assert client.delete(f"/api/v1/traces/{doomed}").status_code == 204
    ingest(request(span("doomed", trace_id=bytes.fromhex(doomed)), span("another")))
    get(f"/traces/{doomed}", status=404)
    assert names(get("/traces")) == {"stays", "another"}


def test_a_page_that_began_before_the_deletion_goes_on_without_the_trace(client: Client, get: Get, doomed: str) -> None:
    first = get("/traces", limit=1, order_by="start_time")
    assert client.delete(f"/api/v1/traces/{doomed}").status_code == 204
    second = get("/traces", limit=5, order_by="start_time", cursor=first["next"])
    assert doomed not in {trace["trace_id"] for trace in second["traces"]}


@pytest.mark.parametrize("trace_id", ["0" * 32, "f" * 31, "no id", "A" * 33])
@pytest.mark.usefixtures("clickhouse")
def test_an_unknown_trace_is_a_404_and_no_id_a_400(client: Client, trace_id: str) -> None:
    answer = client.delete(f"/api/v1/traces/{trace_id}")
    assert answer.status_code == (404 if len(trace_id) == 32 else 400)
    assert answer.json()["type"] == ("client_error" if len(trace_id) == 32 else "validation_error")


def test_a_trace_is_deleted_once(client: Client, doomed: str) -> None:
    assert client.delete(f"/api/v1/traces/{doomed.upper()}").status_code == 204
    assert client.delete(f"/api/v1/traces/{doomed}").status_code == 404


def test_who_may_only_read_deletes_nothing(client: Client, get: Get, doomed: str) -> None:
    reader = make_key(scopes=["read"])
    assert client.delete(f"/api/v1/traces/{doomed}", headers=bearer(reader)).status_code == 403
    assert get(f"/traces/{doomed}")["span_count"] == 2


def test_a_tenant_deletes_its_own_traces_only(client: Client, get: Get, ingest: Ingest, doomed: str) -> None:
    other = make_key("other", scopes=["admin"])
    assert client.delete(f"/api/v1/traces/{doomed}", headers=bearer(other)).status_code == 404
    ingest(request(span("of another", trace_id=bytes.fromhex(doomed))), tenant="other")
    assert client.delete(f"/api/v1/traces/{doomed}", headers=bearer(other)).status_code == 204
    assert get(f"/traces/{doomed}")["span_count"] == 2


def test_a_page_of_another_origin_deletes_nothing(client: Client, get: Get, doomed: str) -> None:
    answer = client.delete(f"/api/v1/traces/{doomed}", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert get(f"/traces/{doomed}")["span_count"] == 2
