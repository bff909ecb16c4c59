"""What a run measured, for people."""

from collections.abc import Iterator, Mapping, Sequence

from bench.ingest.phases import Result
from bench.query.report import quantile

QUANTILES = (50, 95, 99)


def lines(result: Result) -> Iterator[str]:
    """Describe a phase."""
    seconds = result.window_seconds
    yield f"{result.phase.name}: {described(result)}"
    yield (
        f"    acknowledged {result.acknowledged_spans / seconds:,.0f} spans/s "
        f"in {milliseconds(result.acknowledge_seconds)} ({len(result.acknowledge_seconds) / seconds:,.0f} requests/s), "
        f"refused {result.refused_requests} requests"
        + "".join(f", {count} times: {why}" for why, count in result.refusals.items())
    )
    yield (
        f"    stored {result.stored_spans / seconds:,.0f} spans/s; "
        f"visible after {milliseconds(result.visible_seconds)} ({len(result.visible_seconds)} traces), "
        f"all of them {result.drain_seconds:.1f} s after the last request"
    )
    total = sum(result.cpu_seconds.values())
    yield (
        f"    server CPU {micros(total, result.stored_spans)} µs a span"
        f" ({micros(result.cpu_seconds_until_quiet, result.spans_until_quiet)} until the last merge), "
        f"{total / seconds:.2f} cores: "
        + ", ".join(f"{part} {micros(cpu, result.stored_spans)}" for part, cpu in result.cpu_seconds.items())
        + f"; generator {micros(result.generator_cpu_seconds, result.acknowledged_spans)}"
    )
    yield (
        f"    at most {result.most_parts} parts a partition and {result.most_sealed_batches} sealed batches; "
        f"{result.merges} merges of {result.merged_rows_a_span:.1f} rows a span"
    )


def described(result: Result) -> str:
    load = result.phase.load
    rate = f", {load.rate:,.0f} requests/s" if load.rate else ""
    coding = "gzip" if load.gzip else "plain"
    return f"{load.mix}, {load.transport}, {coding}, {load.in_flight} in flight{rate}, {result.window_seconds:.0f} s"


def milliseconds(seconds: Sequence[float]) -> str:
    """Return the quantiles: `p50 4, p95 10, p99 21 ms`."""
    return ", ".join(f"p{each} {quantile(seconds, each) * 1000:.0f}" for each in QUANTILES) + " ms"


def micros(seconds: float, spans: int) -> str:
    return f"{seconds / max(1, spans) * 1e6:.1f}"


def disk_lines(tables: Mapping[str, tuple[int, int, int]], spans: int) -> Iterator[str]:
    """Describe what is on disk, the tables that have more than a tenth of a byte a span one by one."""
    total = sum(size for _, size, _ in tables.values())
    parts = [
        f"{table} {size / max(1, spans):.1f} ({parts} parts)"
        for table, (_, size, parts) in tables.items()
        if size * 10 >= spans
    ]
    yield f"on disk {total / max(1, spans):.0f} bytes a span: {', '.join(parts)}"
