"""What one batch costs in ClickHouse: CPU, memory and disk a span, from OTLP bytes to all tables, merges not counted.

Runs the schema on the embedded engine in this process, so nothing else is measured: no receiver, no queue, no HTTP.
"""

import argparse
import os
import random
import resource
import statistics
import tempfile
import time
from pathlib import Path

import chdb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from axonize.clickhouse.migrator import filled_in, migrations
from bench.axonize_sdk import attributes, set_attributes
from ingest.intake import enclose
from ingest.writer import insert_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

SPANS_A_REQUEST = 512
SPANS_A_TRACE = 5
REQUESTS_A_BATCH = 100
CHANCE = random.Random(1)  # noqa: S311  no secret


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=9, help="counted batches, after one that is not")
    parser.add_argument("--resource-attributes", type=int, default=0, help="further attributes of the resource")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = chdb.connect(str(Path(folder) / "clickhouse"))  # type: ignore[no-untyped-call]
        engine.query("CREATE DATABASE axonize")
        engine.query("USE axonize")
        for migration in migrations():
            engine.query(filled_in(migration.sql))
        spans = SPANS_A_REQUEST * REQUESTS_A_BATCH
        batch = Path(folder) / "batch.zst"
        microseconds = []
        for number in range(options.batches + 1):
            batch.write_bytes(b"".join(frame(options.resource_attributes) for _ in range(REQUESTS_A_BATCH)))
            before = cpu_seconds()
            engine.query(insert(batch, token=str(number)))
            microseconds.append((cpu_seconds() - before) / spans * 1e6)
        stored_bytes = engine.query(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'axonize'", "TSV"
        )
        engine.close()  # whose merges would go on writing into the folder
        counted = microseconds[1:]
        print(f"{spans:,} spans a batch of {batch.stat().st_size:,} bytes, {options.batches} batches")
        print(
            f"CPU a span: median {statistics.median(counted):.1f} µs, "
            f"{min(counted):.1f} to {max(counted):.1f}; peak memory {peak_memory_mib():,} MiB"
        )
        print(f"on disk, all tables: {int(str(stored_bytes)) / spans / (options.batches + 1):.0f} bytes a span")


def frame(resource_attributes: int) -> bytes:
    """Return a request as the Axonize SDK sends it: 22 attributes and one GPU a span."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    names = {"service.name": "llama-serving", "deployment.environment": "production"}
    names |= {f"k8s.attribute.{number}": f"value-{number}-7d9f8c6b5" for number in range(resource_attributes)}
    for key, text in names.items():
        resource_spans.resource.attributes.add(key=key).value.string_value = text
    scope_spans = resource_spans.scope_spans.add()
    now_ns = time.time_ns()
    for number in range(SPANS_A_REQUEST):
        if number % SPANS_A_TRACE == 0:
            trace_id, root_id = os.urandom(16), os.urandom(8)
        is_root = number % SPANS_A_TRACE == 0
        start_ns = now_ns - random.randrange(10**10)  # noqa: S311  no secret
        span = scope_spans.spans.add(
            trace_id=trace_id,
            span_id=root_id if is_root else os.urandom(8),
            parent_span_id=b"" if is_root else root_id,
            name="generate",
            kind=2,  # SPAN_KIND_SERVER
            start_time_unix_nano=start_ns,
            end_time_unix_nano=start_ns + random.randrange(10**9),  # noqa: S311  no secret
        )
        span.status.code = 1  # type: ignore[assignment]  # STATUS_CODE_OK
        set_attributes(span, attributes(CHANCE))
    return enclose(request.SerializeToString(), "default")[0]


def insert(batch: Path, *, token: str) -> str:
    """Return the insert that ingest.writer sends, from a file instead of a request's body."""
    settings = ", ".join(f"{name} = {quoted(value)}" for name, value in insert_settings(token).items())
    return f"INSERT INTO otlp_inbox FROM INFILE '{batch}' COMPRESSION 'zstd' SETTINGS {settings} FORMAT Protobuf"


def quoted(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{text}'"


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_memory_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
