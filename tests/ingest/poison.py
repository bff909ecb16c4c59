"""Batches put straight into the queue, past the intake, with what ClickHouse refuses for good."""

import asyncio
from collections.abc import Sequence

from clickhouse_connect.driver import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.intake import enclose
from ingest.queue import OpenBatch, connect_async
from ingest.tasks import new_batch_id
from tests.otlp import request, span

TOO_LONG_ID = b"x" * 20  # a trace id is FixedString(16)
NO_KIND = 77


def requests(count: int, *, spans: int = 10) -> list[ExportTraceServiceRequest]:
    """Return requests whose spans are named `request.span`, each from a service of its own."""
    return [
        request(*[span(f"{at}.{number}") for number in range(spans)], resource={"service.name": f"service-{at}"})
        for at in range(count)
    ]


def frames(bodies: Sequence[ExportTraceServiceRequest], *, tenant: str = "default") -> bytes:
    return b"".join(enclose(body.SerializeToString(), tenant)[0] for body in bodies)


def sealed(batch: bytes) -> str:
    """Put the bytes of a batch into the queue and return its id."""

    async def put() -> str:
        batch_id = new_batch_id()
        async with connect_async() as client:
            open_batch = OpenBatch(client, receiver="poison")
            await open_batch.offer(
                frame=batch, digest=batch_id.encode(), spans=1, raw_bytes=len(batch), values=0, batch_id=batch_id
            )
            assert await open_batch.seal(min_age_ms=0) == batch_id
        return batch_id

    return asyncio.run(put())


def trial_databases(clickhouse: Client) -> list[str]:
    """Return the trial databases that nobody dropped."""
    rows = clickhouse.query("SELECT name FROM system.databases WHERE name LIKE '%trial%'").result_rows
    return [name for (name,) in rows]
