"""docs/sending-data.md: the Collector's file, and what such a Collector sends."""

import re
from typing import Any

import grpc
import pytest
import yaml
from clickhouse_connect.driver import Client as ClickHouse
from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests import captures
from tests.docs.conftest import Traces
from tests.docs.markdown import Page
from tests.keys import bearer, make_key
from tests.otlp import request, span
from tests.otlp_clients import export_grpc
from tests.processes import ROOT

PAGE = Page(ROOT / "docs" / "sending-data.md")
CONVENTIONS = Page(ROOT / "docs" / "conventions.md")
MIB = 1024 * 1024

# Of the Collector's own documentation, version 0.144: the keys that its exporter helper knows.
RETRY = {"enabled", "initial_interval", "max_interval", "max_elapsed_time", "multiplier", "randomization_factor"}
QUEUE = {
    "enabled", "num_consumers", "wait_for_result", "block_on_overflow", "sizer", "queue_size", "storage", "batch",
}  # fmt: skip
BATCH = {"flush_timeout", "min_size", "max_size", "sizer", "partition"}


def collector() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(PAGE.block("yaml", under="OpenTelemetry Collector"))
    return loaded


def test_the_collectors_file_uses_each_part_that_it_defines_and_no_other() -> None:
    file = collector()
    [pipeline] = file["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert pipeline[kind] == list(file[kind])
    assert file["service"]["extensions"] == list(file["extensions"])
    assert pipeline["processors"][0] == "memory_limiter"


def test_the_collectors_exporter_has_only_keys_that_there_are_and_sizes_that_fit() -> None:
    [exporter] = collector()["exporters"].values()
    queue, batch = exporter["sending_queue"], exporter["sending_queue"]["batch"]
    assert exporter["retry_on_failure"].keys() <= RETRY
    assert queue.keys() <= QUEUE
    assert batch.keys() <= BATCH
    assert queue["storage"] in collector()["extensions"]
    assert queue["sizer"] == batch["sizer"] == "bytes"
    assert MIB == batch["min_size"] < batch["max_size"] == settings.OTLP_MAX_REQUEST_BYTES // 2 < queue["queue_size"]
    assert exporter["headers"] == {"authorization": "Bearer ${env:AXONIZE_KEY}"}


def test_the_collectors_statements_copy_what_axonize_reads_and_what_the_engines_resource_says() -> None:
    [transform] = [part for name, part in collector()["processors"].items() if name.startswith("transform")]
    form = r'set\(span\.attributes\["([\w.]+)"\], resource\.attributes\["\1"\]\) where span\.name == "llm_request"'
    copied = [re.fullmatch(form, statement) for statement in transform["trace_statements"]]
    assert all(copied)
    names = {match[1] for match in copied if match}
    [said] = re.findall(r'OTEL_RESOURCE_ATTRIBUTES="(gpu[^"]+)"', PAGE.text)
    assert names == {pair.partition("=")[0] for pair in said.split(",")} - {"host.name"}
    known = set(re.findall(r"`([\w.]+)`", CONVENTIONS.text))
    assert {re.sub(r"^gpu\.\d+\.", "", name) for name in names} <= known


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("receiver")
def test_a_collectors_batch_of_many_services_arrives_whole(traces: Traces, clickhouse: ClickHouse) -> None:
    key = make_key(scopes=["ingest"])
    batch = ExportTraceServiceRequest()
    for name in captures.NAMES:
        for recorded in captures.load(name):
            batch.MergeFrom(recorded)
    for service in ("embedder", "reranker"):
        batch.MergeFrom(request(*(span() for _ in range(2000)), resource={"service.name": service}))
    sent = list(captures.spans_of(batch))
    answer = export_grpc(batch.SerializeToString(), metadata=bearer(key), compression=grpc.Compression.Gzip)
    assert answer == ExportTraceServiceResponse()
    assert traces(limit="1")
    [stored] = clickhouse.query("SELECT count(), uniqExact(service_name) FROM spans").result_rows
    services = {
        attribute.value.string_value
        for each in batch.resource_spans
        for attribute in each.resource.attributes
        if attribute.key == "service.name"
    }
    assert stored == (len(sent), len(services))
