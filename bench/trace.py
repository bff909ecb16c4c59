"""How fast a trace is answered, small, of 10,000 spans, 5,000 levels deep, by a stack of its own: `make bench-trace`.

Prints each answer's median time, with the CPU that the web process and ClickHouse spent on it. The traces travel the
whole way, among others of the same minutes, which are there so that a trace is something to be found.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.request import Request

import psutil  # type: ignore[import-untyped]  # it ships no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bench.axonize_sdk import attributes, set_attributes
from bench.chaos.ports import free_ports
from bench.chaos.stack import Stack, fetch, running, wait

SPANS_A_REQUEST = 500
SMALL_SPANS, WIDE_SPANS, DEEP_SPANS = 6, 10_000, 5_000
RUNS_OF_SMALL, RUNS_OF_LARGE = 100, 9
SECONDS_BACK = 600
"""How long ago the first span began: enough for the deepest trace, little enough for one partition."""
STORED_SECONDS = 300
PODS = 4
# No secret: the same attributes and ids at each run.
CHANCE = random.Random(1)  # noqa: S311

Parent = Callable[[int], int | None]
"""The number of a span's parent in its trace, by the span's own number; None for a root."""


@dataclass(frozen=True)
class Trace:
    """A trace to be stored: what it is called here, its id, and how its spans hang together."""

    name: str
    trace_id: bytes
    spans: int
    parent: Parent

    def span_id(self, number: int) -> bytes:
        return self.trace_id[:4] + (number + 1).to_bytes(4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--others", type=int, default=20_000, help="small traces that are stored beside")
    options = parser.parse_args()

    def new(name: str, spans: int, parent: Parent) -> Trace:
        return Trace(name, CHANCE.randbytes(16), spans, parent)

    small = new("6 spans", SMALL_SPANS, lambda number: 0 if number else None)
    wide = new("10,000 spans", WIDE_SPANS, lambda number: (number - 1) // 10 if number else None)
    deep = new("5,000 levels", DEEP_SPANS, lambda number: number - 1 if number else None)
    others = [new("another", SMALL_SPANS, small.parent) for _ in range(options.others)]
    with running(free_ports()) as stack:
        for request in requests([*others, small, wide, deep]):
            send(stack, request)
        for trace in (others[-1], small, wide, deep) if others else (small, wide, deep):
            if not wait(lambda trace=trace: is_stored(stack, trace), STORED_SECONDS):  # type: ignore[misc]  # bound at once
                raise RuntimeError(f"The trace of {trace.name} was not stored in time.")
        print(f"{'answer':42} {'bytes':>12} {'median':>10} {'web CPU':>10} {'ClickHouse CPU':>15}")
        for trace, runs in ((small, RUNS_OF_SMALL), (wide, RUNS_OF_LARGE), (deep, RUNS_OF_LARGE)):
            path = f"/api/v1/traces/{trace.trace_id.hex()}"
            measure(stack, f"a trace of {trace.name}", path, runs)
            measure(stack, f"a page of the trace of {trace.name}", f"{path}/spans", runs)
        for name, query in {"newest": "", "of a model": "?model_name=llama-3-70b", "failed": "?status=error"}.items():
            measure(stack, f"50 spans of any trace, {name}", f"/api/v1/spans{query}", RUNS_OF_SMALL)


def requests(traces: list[Trace]) -> Iterator[bytes]:
    """Yield requests of SPANS_A_REQUEST spans, each of one pod, with spans of all traces."""
    first_ns = time.time_ns() - SECONDS_BACK * 10**9
    message, count = ExportTraceServiceRequest(), 0
    for place, trace in enumerate(traces):
        begin_ns = first_ns + place * 5_000_000
        for number in range(trace.spans):
            if count % SPANS_A_REQUEST == 0:
                if count:
                    yield message.SerializeToString()
                message = ExportTraceServiceRequest()
                resource_spans = message.resource_spans.add()
                for key, text in resource_attributes(count // SPANS_A_REQUEST % PODS).items():
                    resource_spans.resource.attributes.add(key=key).value.string_value = text
                spans = resource_spans.scope_spans.add().spans
            spans.append(span(trace, number, begin_ns + number * 1_000))
            count += 1
    yield message.SerializeToString()


def span(trace: Trace, number: int, start_ns: int) -> Span:
    parent = trace.parent(number)
    made = Span(
        trace_id=trace.trace_id,
        span_id=trace.span_id(number),
        parent_span_id=b"" if parent is None else trace.span_id(parent),
        name="generate" if number else "chat",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + 1_000 * (trace.spans - number),
    )
    made.status.code = Status.STATUS_CODE_ERROR if CHANCE.random() < 0.01 else Status.STATUS_CODE_OK
    set_attributes(made, attributes(CHANCE))
    return made


def resource_attributes(pod: int) -> Mapping[str, str]:
    return {
        "service.name": "llama-serving",
        "service.version": "1.4.0",
        "deployment.environment": "production",
        "host.name": f"gpu-node-{pod}",
        "k8s.pod.name": f"llama-serving-7d9f8c6b5-{pod}",
        "telemetry.sdk.language": "python",
    }


def send(stack: Stack, request: bytes) -> None:
    address = f"http://127.0.0.1:{stack.http_port}/v1/traces"
    fetch(Request(address, request, {"Content-Type": "application/x-protobuf"}))


def is_stored(stack: Stack, trace: Trace) -> bool:
    spans: int = stack.get(f"/api/v1/traces/{trace.trace_id.hex()}/spans", limit=1)["total"]
    return spans == trace.spans


def measure(stack: Stack, name: str, path: str, runs: int) -> None:
    """Ask several times, once beforehand uncounted, and print a line of the table."""
    size = len(stack.get_bytes(path))
    seconds = []
    before = cpu_seconds(stack)
    for _ in range(runs):
        began = time.perf_counter()
        stack.get_bytes(path)
        seconds.append(time.perf_counter() - began)
    spent = {part: (after - before[part]) / runs * 1000 for part, after in cpu_seconds(stack).items()}
    median = statistics.median(seconds) * 1000
    cpu = f"{spent['web']:>7.1f} ms {spent['clickhouse']:>12.1f} ms"
    print(f"{name:42} {size:>12,} {median:>7.1f} ms {cpu}", flush=True)


def cpu_seconds(stack: Stack) -> dict[str, float]:
    """Return the CPU time that the web process, with its children, and ClickHouse have used so far."""
    found = {}
    for part in ("web", "clickhouse"):
        process = stack.process_of(part)
        if process is None:
            raise RuntimeError(f"{part} is not running.")
        every: list[psutil.Process] = [process, *process.children(recursive=True)]
        found[part] = sum(sum(each.cpu_times()[:2]) for each in every)
    return found


if __name__ == "__main__":
    main()
