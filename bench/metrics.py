"""What counting costs a request, and what a report costs a process: CPU time, of a core, best of several runs.

Runs with a Redis that answers: `manage.py up --engines-only`.
"""

import os
import time
from collections.abc import Callable
from typing import Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")
from django_prometheus.middleware import Metrics

from axonize.metrics import page  # noqa: F401 - for all that is registered
from axonize.metrics.process import Process
from axonize.metrics.reads import QUERY_SECONDS
from axonize.metrics.receiving import GRPC, HTTP, SPANS_RECEIVED, answered, body_bytes, request_seconds, wire_bytes
from axonize.metrics.reporter import Reporter, pause_after

CALLS: Final = 20_000
RUNS: Final = 15
VIEWS, QUESTIONS = 60, 40


def microseconds(count: Callable[[], None]) -> float:
    """Return what a call takes, in the best of some runs."""
    best = float("inf")
    for _ in range(RUNS):
        began = time.thread_time()
        for _ in range(CALLS):
            count()
        best = min(best, (time.thread_time() - began) / CALLS)
    return best * 1e6


def count_http() -> None:
    answered(HTTP, "200", 0.002)
    SPANS_RECEIVED.inc(100)
    body_bytes[HTTP].inc(50_000)
    wire_bytes.inc(9_000)


def count_grpc() -> None:
    answered(GRPC, "OK", 0.002)
    SPANS_RECEIVED.inc(100)
    body_bytes[GRPC].inc(50_000)


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
print(f"a request: OTLP/HTTP {microseconds(count_http):.1f} µs, OTLP/gRPC {microseconds(count_grpc):.1f} µs")
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
