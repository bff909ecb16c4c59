"""`make bench-ingest`: how many spans a second are stored, what each takes, and how soon it is acknowledged and seen.

Runs a stack of its own, sends pre-serialised requests to its receiver for a minute, then in other ways, shorter, and
last at 10,000 spans a second. Exits with 1 when a number of docs/performance.md is not reached, or a span is lost or
twice there.
"""

import argparse
import os
import sys
from collections.abc import Iterator

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

from bench.chaos.ports import free_ports
from bench.chaos.stack import running
from bench.ingest import limits, report, usage
from bench.ingest.generator import Load
from bench.ingest.phases import Phase, Result, lost_and_duplicated, run
from bench.query.report import machine, quantile
from bench.query.requests import SPANS_A_REQUEST

FLOOR_SPANS_PER_SECOND, MOST_MICROSECONDS, SINGLE_PER_SECOND = 60_000, 25.0, 3_000
ACKNOWLEDGED_SECONDS, VISIBLE_SECONDS = 0.05, 2.0
STEADY_SPANS_PER_SECOND = 10_000
MEASURED_MOST_REQUESTS = 250
"""How many compressed requests a second are made beforehand."""


def main() -> int:
    options = arguments()
    try:
        return measure(options)
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1


def measure(options: argparse.Namespace) -> int:
    """Run, print, and return the exit code. Raises OSError, RuntimeError."""
    ports = free_ports()
    transports = {"grpc": ports["AXONIZE_OTLP_GRPC_PORT"], "http": ports["AXONIZE_OTLP_HTTP_PORT"]}
    for name, text in machine().items():
        say(f"{name}: {text}")
    bare_port = free_ports()["AXONIZE_OTLP_GRPC_PORT"]
    if not options.no_limits:
        say(f"limit: upb parses a span in {limits.parsed_us_a_span():.2f} µs")
        spans, microseconds = limits.received(Load("sdk", "grpc", 4), bare_port)
        say(f"limit: a bare grpc.aio server receives {spans:,.0f} spans/s at {microseconds:.2f} µs a span")
    results: list[Result] = []
    stored = 0
    with running(ports, AXONIZE_REQUESTS_PER_MINUTE="1000000") as stack:
        for phase in chosen(options):
            result = run(stack, transports, phase, stored_before=stored)
            stored += result.spans_until_quiet
            results.append(result)
            for line in report.lines(result):
                say(line)
        lost, duplicated = lost_and_duplicated(stack, stored)
        say(f"{stored:,} spans acknowledged, {lost} lost, {duplicated} duplicated")
        for line in report.disk_lines(usage.disk(stack), stored):
            say(line)
        memory = usage.peak_memory_mib(stack)
        say("peak memory: " + ", ".join(f"{part} {mib:,} MiB" for part, mib in memory.items()))
        if not options.no_limits:
            microseconds = limits.inserted_us_a_span(stack, ports["AXONIZE_CLICKHOUSE_PORT"])
            say(f"limit: ClickHouse inserts a row of spans that comes as it is in {microseconds:.1f} µs")
    found = list(problems(results, lost, duplicated))
    print("", *found, sep="\n")
    return 1 if found else 0


def chosen(options: argparse.Namespace) -> Iterator[Phase]:
    """Return the loads of a run."""
    short = options.seconds / 4
    if options.rate:
        load = Load(options.mix, options.transport, options.in_flight, rate=options.rate / SPANS_A_REQUEST)
        yield Phase("steady", load, options.seconds, options.warm_up, is_held_back=False)
        return
    flood = Phase("flood", Load(options.mix, options.transport, options.in_flight), options.seconds, options.warm_up)
    if options.quick:
        yield flood
        return
    # before the floods, whose parts are merged for minutes after them
    yield Phase("single spans", Load("single", "grpc", 64), short)
    yield Phase("single spans, HTTP", Load("single", "http", 64), short)
    yield flood
    yield Phase("flood, 64 in flight", Load("sdk", "grpc", 64), short)
    yield Phase("flood, HTTP", Load("sdk", "http", 4), short)
    requests = int(MEASURED_MOST_REQUESTS * (short + 5))
    yield Phase("flood, gzip", Load("sdk", "grpc", 4, gzip=True, gzip_requests=requests), short)
    yield Phase("flood, HTTP and gzip", Load("sdk", "http", 4, gzip=True, gzip_requests=requests), short)
    yield Phase("GenAI", Load("genai", "grpc", 4), short)
    steady = Load("sdk", "grpc", 4, rate=STEADY_SPANS_PER_SECOND / SPANS_A_REQUEST)
    yield Phase("steady", steady, options.seconds, is_held_back=False)


def problems(results: list[Result], lost: int, duplicated: int) -> Iterator[str]:
    """Return what must not be."""
    if lost or duplicated:
        yield f"{lost} spans are lost, {duplicated} duplicated"
    checks = {"flood": flood_problems, "single spans": single_problems, "steady": steady_problems}
    for result in results:
        if result.phase.name in checks:
            yield from checks[result.phase.name](result)


def flood_problems(result: Result) -> Iterator[str]:
    per_second = result.stored_spans / result.window_seconds
    microseconds = sum(result.cpu_seconds.values()) / max(1, result.stored_spans) * 1e6
    if per_second < FLOOR_SPANS_PER_SECOND:
        yield f"{per_second:,.0f} spans/s are stored, promised are {FLOOR_SPANS_PER_SECOND:,}"
    if microseconds > MOST_MICROSECONDS:
        yield f"a span takes {microseconds:.1f} µs, promised are {MOST_MICROSECONDS:.0f}"


def single_problems(result: Result) -> Iterator[str]:
    per_second = len(result.acknowledge_seconds) / result.window_seconds
    if per_second < SINGLE_PER_SECOND:
        yield f"{per_second:,.0f} single spans/s are acknowledged, promised are {SINGLE_PER_SECOND:,}"


def steady_problems(result: Result) -> Iterator[str]:
    for what, measured, most in (
        ("acknowledged", result.acknowledge_seconds, ACKNOWLEDGED_SECONDS),
        ("visible", result.visible_seconds, VISIBLE_SECONDS),
    ):
        if quantile(measured, 99) > most:
            yield f"p99 of {what} is {quantile(measured, 99):.2f} s, promised are {most} s"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-ingest", description=__doc__.split("\n\n")[0] if __doc__ else "")
    add = parser.add_argument
    add(
        "--seconds",
        type=float,
        default=60.0,
        help="of the long phases; the others take a quarter (default: %(default)s)",
    )
    add("--warm-up", type=float, default=10.0, help="seconds before those that count (default: %(default)s)")
    add("--quick", action="store_true", help="only the first load")
    add("--rate", type=float, help="spans a second, and nothing else")
    add("--mix", choices=("sdk", "genai", "single"), default="sdk", help="of the first load (default: %(default)s)")
    add("--transport", choices=("grpc", "http"), default="grpc", help="of the first load (default: %(default)s)")
    add("--in-flight", type=int, default=4, help="of the first load (default: %(default)s)")
    add("--no-limits", action="store_true", help="don't measure what can't be beaten")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
