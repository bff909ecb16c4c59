"""What counting costs a request, and what a report costs a process: CPU time, of a core, best of several runs.

Runs with a Redis that answers: `manage.py up --engines-only`.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")
from django_prometheus.middleware import Metrics

from axonize.metrics import page  # noqa: F401 - for all that is registered
from axonize.metrics.process import Process
from axonize.metrics.reads import QUERY_SECONDS
from axonize.metrics.receiving import GRPC, HTTP, SPANS_RECEIVED, body_bytes, request_seconds, wire_bytes
from axonize.metrics.reporter import Reporter, pause_after
from ingest.receiver.figures import counted_grpc, counted_http

CALLS: Final = 20_000
RUNS: Final = 15
VIEWS, QUESTIONS = 60, 40

Method = Callable[..., Awaitable[Any]]


async def microseconds(method: Method, *arguments: object) -> float:
    """Return what a call takes, in the best of some runs."""
    best = float("inf")
    for _ in range(RUNS):
        began = time.thread_time()
        for _ in range(CALLS):
            await method(*arguments)
        best = min(best, (time.thread_time() - began) / CALLS)
    return best * 1e6


async def nothing(*_arguments: object) -> Any:
    return None


async def answer_http(_scope: object, _receive: object, send: Method) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


async def count_http() -> None:
    SPANS_RECEIVED.inc(100)
    body_bytes[HTTP].inc(50_000)
    wire_bytes.inc(9_000)


async def count_grpc() -> None:
    SPANS_RECEIVED.inc(100)
    body_bytes[GRPC].inc(50_000)


async def requests() -> None:
    scope = {"path": "/v1/traces"}
    bare, empty = await microseconds(answer_http, scope, None, nothing), await microseconds(nothing)
    http = await microseconds(counted_http(answer_http), scope, None, nothing) - bare
    http += await microseconds(count_http) - empty
    grpc = await microseconds(counted_grpc(nothing), None, None) - empty
    grpc += await microseconds(count_grpc) - empty
    print(f"a request: OTLP/HTTP {http:.1f} µs, OTLP/gRPC {grpc:.1f} µs")


def report(name: str) -> None:
    reporter = Reporter(Process("bench"), without={})
    size_bytes = reporter.report()
    took_s = []
    for _ in range(100):
        began = time.thread_time()
        reporter.report()
        took_s.append(time.thread_time() - began)
    reporter.end()
    pause_s = pause_after(min(took_s), size_bytes)
    share = min(took_s) / pause_s
    print(f"a report of {name}: {size_bytes:,} bytes, {min(took_s) * 1000:.2f} ms each {pause_s:.0f} s, {share:.3%}")


for transport in (GRPC, HTTP):
    for seconds in (0.001, 0.01, 0.1, 1):
        request_seconds[transport].observe(seconds)
asyncio.run(requests())
report("a receiver")
web = Metrics.get_instance()
for number in range(VIEWS):
    labels = {"view": f"analytics:view-{number}", "method": "GET"}
    web.requests_latency_by_view_method.labels(**labels).observe(0.05)
    web.responses_by_status_view_method.labels(status="200", **labels).inc()
    web.requests_by_view_transport_method.labels(transport="http", **labels).inc()
for number in range(QUESTIONS):
    QUERY_SECONDS.labels(f"analytics.queries.question_{number}").observe(0.02)
report(f"a web process, {VIEWS} views and {QUESTIONS} questions")
