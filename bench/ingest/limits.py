"""What nothing built of the same parts can beat here: receiving alone, parsing alone, inserting rows alone."""

import asyncio
import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event
from urllib.parse import urlencode
from urllib.request import Request

import grpc
import psutil  # type: ignore[import-untyped]  # it ships no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.chaos.stack import Stack, fetch
from bench.ingest.generator import Load, generating
from bench.ingest.mixes import sdk
from bench.template import Template

SECONDS = 5.0
SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
INSERTED_SPANS, INSERTS = 50_000, 6
TABLE = "spans_limit"


def parsed_us_a_span() -> float:
    """Return the microseconds of CPU that parsing the SDK's request takes a span, in protobuf's C."""
    body = bytes(Template(sdk(random.Random(1)), random.Random(1)).fresh(time.time_ns()))  # noqa: S311 - no secret
    spans, turns, began_s = 0, 0, time.process_time()
    while time.process_time() - began_s < SECONDS / 2:
        request = ExportTraceServiceRequest.FromString(body)
        spans += sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        turns += 1
    return (time.process_time() - began_s) / spans * 1e6


def received(load: Load, port: int) -> tuple[float, float]:
    """Return the spans a second that a bare grpc.aio server receives, and its microseconds of CPU a span."""
    with _bare_server(port) as server, generating(port, load) as generator:
        time.sleep(1.0)
        before, began_s = sum(server.cpu_times()[:2]), time.monotonic()
        time.sleep(SECONDS)
        cpu_seconds, ended_s = sum(server.cpu_times()[:2]) - before, time.monotonic()
    if generator.sent is None:
        raise RuntimeError("The generator told nothing.")
    requests = sum(began_s <= sent_s < ended_s for sent_s, _ in generator.sent.acknowledged)
    spans = requests * generator.sent.spans_a_request
    return spans / (ended_s - began_s), cpu_seconds / max(1, spans) * 1e6


def inserted_us_a_span(stack: Stack, clickhouse_port: int) -> float:
    """Return the microseconds of CPU that ClickHouse takes to insert a row of `spans` that comes as it is, unmerged."""
    stack.ask(f"CREATE OR REPLACE TABLE {TABLE} AS spans")
    stack.ask(f"SYSTEM STOP MERGES {TABLE}")
    block = fetch(_request(clickhouse_port, f"SELECT * FROM spans LIMIT {INSERTED_SPANS} FORMAT Native", b""))  # noqa: S608 - our own
    process = stack.process_of("clickhouse")
    if process is None:
        raise RuntimeError("clickhouse is not running.")
    before = sum(process.cpu_times()[:2])
    for _ in range(INSERTS):
        fetch(_request(clickhouse_port, f"INSERT INTO {TABLE} FORMAT Native", block))
    took_seconds = sum(process.cpu_times()[:2]) - before
    stack.ask(f"DROP TABLE {TABLE}")
    return float(took_seconds / INSERTED_SPANS / INSERTS * 1e6)


def _request(port: int, sql: str, body: bytes) -> Request:
    settings = {"database": "axonize", "max_insert_threads": 1, "query": sql}
    return Request(f"http://127.0.0.1:{port}/?{urlencode(settings)}", body)


@contextmanager
def _bare_server(port: int) -> Iterator[psutil.Process]:
    context = multiprocessing.get_context("spawn")
    stop, (receiving, sending) = context.Event(), context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(port, stop, sending), daemon=True)
    process.start()
    try:
        receiving.recv()
        yield psutil.Process(process.pid)
    finally:
        stop.set()
        process.join()


def _serve(port: int, stop: Event, ready: Pipe) -> None:
    async def export(_body: bytes, _context: object) -> bytes:
        return b""

    async def serve() -> None:
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
        handler = grpc.unary_unary_rpc_method_handler(export)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": handler}),))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        ready.send(None)
        await asyncio.to_thread(stop.wait)
        await server.stop(None)

    asyncio.run(serve())
