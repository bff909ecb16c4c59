"""The code on a cluster of two shards: what is stored where, how often, and that it answers as one server does."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from clickhouse_connect.driver.httpclient import HttpClient
from django.test import Client
from pytest_django.fixtures import Settings

from axonize.clickhouse import client as clickhouse_client, migrator
from axonize.clickhouse.client import get_client
from axonize.clickhouse.cluster import SHARDING_KEYS, Cluster
from axonize.clickhouse.deletion import delete_traces
from axonize.clickhouse.retention import changes
from ingest import writer
from ingest.gpu_time import share_out_changes
from ingest.intake import enclose
from ingest.retention import apply
from ingest.summaries import summarize_changes
from registry.mirror import mirror_registry
from registry.models import ComputeResource, PhysicalGPU, Tenant
from tests.otlp import gpu, request, span
from tests.shards import CLUSTER, Node, doing_on_each, on_one_server, two_shards

SECOND_NS = 10**9
DAY_NS = 86_400 * SECOND_NS
HOUR_MS = 3_600_000
START_NS = (time.time_ns() // (3600 * SECOND_NS) - 2) * 3600 * SECOND_NS
TRACES = [bytes([number]) * 16 for number in range(1, 41)]
_TIMES = [datetime.fromtimestamp(START_NS // SECOND_NS + seconds, UTC).isoformat() for seconds in (-1, 3600)]
RANGE = urlencode({"start": _TIMES[0], "end": _TIMES[1]})
QUESTIONS = [
    f"/traces?{RANGE}&limit=100",
    f"/traces?{RANGE}&limit=100&order_by=-cost_usd&status=error",
    f"/traces?{RANGE}&service_name=service-1&model_name=model-1",
    f"/traces?{RANGE}&node_id=node-0",
    f"/traces?{RANGE}&physical_uuid=GPU-1",
    f"/traces?{RANGE}&attr.batch=7",
    f"/traces/{TRACES[0].hex()}",
    f"/traces/{TRACES[0].hex()}/spans",
    f"/spans?{RANGE}&limit=100&service_name=service-2",
    f"/analytics/overview?{RANGE}",
    f"/analytics/latency?{RANGE}&group_by=service_name",
    f"/analytics/latency?{RANGE}&of=trace&group_by=node_id",
    f"/analytics/throughput?{RANGE}&group_by=model_name",
    f"/analytics/models?{RANGE}",
    f"/analytics/services?{RANGE}",
    f"/analytics/gpus?{RANGE}",
    f"/gpus/MIG-1/metrics?{RANGE}",
]

Ask = Callable[[str], Any]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two servers, a shard each."""
    with two_shards(tmp_path_factory.mktemp("shards")) as servers:
        yield servers


@pytest.fixture
def on_cluster(nodes: list[Node], settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes the cluster, emptied, the ClickHouse of this test."""

    def switch() -> None:
        settings.CLICKHOUSE_URL = f"http://127.0.0.1:{nodes[0].http_port}/axonize"
        settings.CLICKHOUSE_CLUSTER = CLUSTER
        monkeypatch.setattr(HttpClient, "command", doing_on_each(nodes, HttpClient.command))
        clickhouse_client.get_client.cache_clear()
        list(migrator.migrate())
        for table in SHARDING_KEYS.keys() - {"mapped_spans", "schema_migrations"}:
            get_client().command(f"TRUNCATE TABLE axonize_local.{table} ON CLUSTER '{CLUSTER}'")

    return switch


@pytest.fixture(autouse=True)
def _own_client() -> Iterator[None]:
    """No client of the cluster is left to the next test."""
    yield
    clickhouse_client.get_client.cache_clear()


@pytest.fixture
def ask(client: Client) -> Ask:
    """Return what asks the API."""

    def answer(question: str) -> Any:
        response = client.get(f"/api/v1{question}", headers={"accept": "application/json"})
        assert response.status_code == 200, (question, response.content)
        return response.json()

    return answer


def batch(number: int, *, at_ns: int = START_NS, tenant: str = "default") -> bytes:
    """Return a batch with a span of every trace."""
    spans = [
        span(
            f"step-{number}",
            trace_id=trace_id,
            span_id=bytes([number + 1, *trace_id[:7]]),
            parent_span_id=bytes([1, *trace_id[:7]]) if number else b"",
            start_ns=at_ns + at * 10 * SECOND_NS + number * SECOND_NS,
            duration_ns=(2 + at % 5) * SECOND_NS,
            status=2 if at % 7 == number else 0,
            attributes={
                "batch": at % 10,
                "gen_ai.request.model": f"model-{at % 3}",
                "gen_ai.usage.output_tokens": at,
                **gpu(resource_uuid=f"MIG-{at % 4}", physical_uuid=f"GPU-{at % 2}", node_id="node-0", utilization=50.0),
            },
        )
        for at, trace_id in enumerate(TRACES)
    ]
    requests = [request(*spans[at::4], resource={"service.name": f"service-{at}"}) for at in range(4)]
    return b"".join(enclose(one.SerializeToString(), tenant)[0] for one in requests)


def write_all() -> None:
    for number in range(3):
        writer.write(batch_id=f"batch-{number}", frames=batch(number))
    share_out_changes(of_last_ms=HOUR_MS)
    summarize_changes(of_last_ms=HOUR_MS)


def counted(client: ClickHouse, what: str, table: str) -> Any:
    return client.query(f"SELECT {what} FROM {table}").result_rows[0][0]  # noqa: S608 - our own names


def alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same; what is summed in another order may differ in its last digits."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one if key != "next")
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == pytest.approx(other)) if isinstance(one, float) else bool(one == other)


@pytest.mark.django_db
def test_a_cluster_answers_every_question_as_one_server_does(
    clickhouse: ClickHouse,  # noqa: ARG001  emptied
    on_cluster: Callable[[], None],
    ask: Ask,
) -> None:
    card = PhysicalGPU.objects.create(tenant_id=1, uuid="GPU-1", cost_per_hour_usd=12, set_memory_total_gb=80)
    ComputeResource.objects.create(tenant_id=1, uuid="MIG-1", set_physical=card, set_resource_type="mig_3g.40gb")
    mirror_registry()
    write_all()
    of_one_server = {question: ask(question) for question in QUESTIONS}
    on_cluster()
    mirror_registry()
    write_all()
    of_cluster = {question: ask(question) for question in QUESTIONS}
    different = {
        question: (answer, of_cluster[question])
        for question, answer in of_one_server.items()
        if not alike(answer, of_cluster[question])
    }
    assert different == {}
    assert len(of_cluster[QUESTIONS[0]]["traces"]) == len(TRACES)
    assert any(trace["cost_usd"] for trace in of_cluster[QUESTIONS[0]]["traces"])


def test_each_trace_is_on_one_shard_and_both_have_some(on_cluster: Callable[[], None], nodes: list[Node]) -> None:
    on_cluster()
    write_all()
    for table in ("spans", "traces", "trace_summaries", "gpu_metrics"):
        ids = "groupUniqArray(trace_id)"
        on_each = [set(counted(node.client("axonize_local"), ids, table)) for node in nodes]
        assert all(on_each)
        assert not set.intersection(*on_each)
        assert len(set.union(*on_each)) == len(TRACES)


def test_a_batch_that_is_written_again_through_either_server_is_stored_once(
    on_cluster: Callable[[], None], nodes: list[Node], settings: Settings
) -> None:
    on_cluster()
    write_all()
    writer.write(batch_id="batch-1", frames=batch(1))
    settings.CLICKHOUSE_URL = f"http://127.0.0.1:{nodes[1].http_port}/axonize"
    with clickhouse_client.connect(database="axonize") as other:
        assert counted(other, "getMacro('shard')", "system.one") == "1"
        writer.write(batch_id="batch-2", frames=batch(2), client=other)
    assert counted(get_client(), "count()", "spans") == 3 * len(TRACES)
    assert counted(get_client(), "sum(span_count)", "traces") == 3 * len(TRACES)
    assert counted(get_client(), "count()", "gpu_metrics") == 3 * len(TRACES)


def test_a_batch_that_reached_one_shard_alone_is_there_once_when_it_comes_again(
    on_cluster: Callable[[], None], nodes: list[Node]
) -> None:
    on_cluster()
    views = [f"mapped_spans_to_{table}" for table in ("spans", "traces", "span_facets", "gpu_attributions")]
    with nodes[1].client("axonize_local") as shard:
        for view in views:
            shard.command(f"DETACH VIEW {view} SYNC")
        writer.write(batch_id="batch-0", frames=batch(0))
        before = counted(get_client(), "count()", "spans")
        for view in views:
            shard.command(f"ATTACH TABLE {view}")
    writer.write(batch_id="batch-0", frames=batch(0))
    assert 0 < before < len(TRACES)
    for table, number in (("spans", "count()"), ("traces", "sum(span_count)"), ("gpu_metrics", "count()")):
        assert counted(get_client(), number, table) == len(TRACES)


def test_a_deleted_trace_is_gone_from_every_shard(on_cluster: Callable[[], None]) -> None:
    on_cluster()
    write_all()
    assert delete_traces(tenant="default", trace_ids=[trace_id.hex() for trace_id in TRACES[:10]]) == 10
    for table in ("spans", "traces", "trace_summaries", "gpu_metrics"):
        assert counted(get_client(), "uniqExact(trace_id)", table) == len(TRACES) - 10


@pytest.mark.django_db
def test_what_is_too_old_goes_from_every_shard(on_cluster: Callable[[], None], settings: Settings) -> None:
    on_cluster()
    days = (time.time_ns() - START_NS) // DAY_NS + 2
    for number in range(3):
        writer.write(batch_id=f"now-{number}", frames=batch(number))
    old = batch(0, at_ns=START_NS - days * DAY_NS, tenant="short")
    writer.write(batch_id="old", frames=old)
    Tenant.objects.create(slug="short", name="short", retention_days=days - 1)
    assert counted(get_client(), "count()", "spans") == 4 * len(TRACES)
    assert not apply()
    for table in ("spans", "traces", "gpu_metrics"):
        assert counted(get_client(), "uniqExact(tenant, trace_id)", table) == len(TRACES)
    settings.RETENTION_DAYS = 20
    assert {change.table for change in changes()} >= {"spans", "traces"}
    apply()
    assert changes() == []
    settings.RETENTION_DAYS = 30
    apply()


def test_the_engine_takes_every_replicated_table(nodes: list[Node]) -> None:
    """Its parameters and settings, that is: without a Keeper nothing can be written to it."""
    cluster = Cluster(name=CLUSTER, database="scratch")
    server = nodes[0].client()
    for sql in cluster.databases():
        server.command(on_one_server(sql))
    made = set()
    for migration in migrator.migrations():
        for statement in cluster.statements(migrator.filled_in(migration.sql, database="scratch")):
            if "ENGINE = Replicated" in statement.sql:
                with nodes[0].client(statement.database) as one:
                    one.command(statement.sql.replace(f" {cluster.on_cluster}", ""))
                made.add(migration.name)
    assert len(made) == len(SHARDING_KEYS) - 2 + 2
