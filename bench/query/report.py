"""What a run measured, as a table and as JSON."""

import os
import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from statistics import fmean
from typing import Any

import chdb
import django
import psutil  # type: ignore[import-untyped]  # it ships no types

from axonize.embedded.part import PROJECT_DIR
from bench.query.asking import Sample
from bench.query.costs import Cost
from bench.query.live import Sent
from bench.query.requests import SPANS_A_REQUEST

QUANTILES = (50, 95, 99)


@dataclass
class Row:
    """One endpoint's line."""

    endpoint: str
    target_ms: float | None
    paced: Sequence[Sample]
    flat_out: Sequence[Sample]
    flat_out_seconds: float
    cost: Cost | None = None

    @property
    def verdict(self) -> str:
        if self.target_ms is None:
            return "-"
        return "ok" if quantile(latencies(self.paced), 95) <= self.target_ms else "OVER"

    @property
    def filled(self) -> float:
        """The share of the good answers that had something in them."""
        good = [each.filled for each in (*self.paced, *self.flat_out) if each.status == HTTPStatus.OK]
        return fmean(good) if good else 0.0

    def bad(self) -> Counter[int]:
        """Count the answers by status that were not 200; 0 is no answer in time."""
        return Counter(each.status for each in (*self.paced, *self.flat_out) if each.status != HTTPStatus.OK)


@dataclass
class Ingest:
    """The spans that arrived meanwhile."""

    wanted_per_second: float
    sent: Sequence[Sent]
    seconds: float
    queue: Sequence[tuple[int, int]] = field(default_factory=list)
    """Sealed batches and queued bytes, each second."""


def latencies(samples: Sequence[Sample]) -> list[float]:
    return [sample.milliseconds for sample in samples]


def quantile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many of a hundred do not exceed; 0 of none.

    >>> quantile([3.0, 1.0, 2.0, 4.0], 50)
    2.0
    """
    ordered = sorted(values)
    return ordered[-(-percent * len(ordered) // 100) - 1] if ordered else 0.0


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table."""
    head = (
        *("endpoint", "asked", "p50", "p95", "p99 ms", "target", "", "flat out", "p50", "p95", "p99 ms", "a second"),
        *("filled", "rows read", "KB read", "queries", "web", "ClickHouse CPU ms"),
    )
    lines = [head, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]


def cells(row: Row) -> tuple[str, ...]:
    paced, flat = ([f"{quantile(latencies(each), q):.0f}" for q in QUANTILES] for each in (row.paced, row.flat_out))
    target = "-" if row.target_ms is None else f"{row.target_ms:.0f}"
    cost = row.cost
    costs = ["?"] * 5
    if cost:
        read = (f"{cost.rows_read:,.0f}", f"{cost.bytes_read / 1000:,.0f}", f"{cost.queries:.1f}")
        costs = [*read, f"{cost.web_cpu_ms:.1f}", f"{cost.clickhouse_cpu_ms:.1f}"]
    throughput = f"{len(row.flat_out) / row.flat_out_seconds:.0f}" if row.flat_out_seconds else "-"
    return (
        *(row.endpoint, str(len(row.paced)), *paced, target, row.verdict),
        *(str(len(row.flat_out)), *flat, throughput, f"{row.filled:.0%}", *costs),
    )


def problems(rows: Sequence[Row]) -> list[str]:
    """Return what must not be: targets missed, answers other than 200."""
    found = [
        f"{row.endpoint}: p95 is {quantile(latencies(row.paced), 95):.0f} ms, promised are {row.target_ms:.0f} ms"
        for row in rows
        if row.verdict == "OVER"
    ]
    found += [
        f"{row.endpoint}: {count} answers had status {status}" if status else f"{row.endpoint}: {count} had no answer"
        for row in rows
        for status, count in sorted(row.bad().items())
    ]
    return found


def ingest_lines(ingest: Ingest) -> list[str]:
    if not ingest.sent:
        return ["no spans arrived meanwhile"]
    taken = [each for each in ingest.sent if not each.refusal]
    acknowledged = [each.acknowledged_ms for each in taken]
    refusals = Counter(each.refusal for each in ingest.sent if each.refusal)
    batches, queued = ([each[at] for each in ingest.queue] or [0] for at in (0, 1))
    line = (
        f"meanwhile arrived {len(taken) * SPANS_A_REQUEST / ingest.seconds:,.0f} spans/s "
        f"of {ingest.wanted_per_second:,.0f}, acknowledged in p50 {quantile(acknowledged, 50):.0f} ms, "
        f"p99 {quantile(acknowledged, 99):.0f} ms; queue: at most {max(batches)} sealed batches "
        f"and {max(queued) / 2**20:.1f} MiB, p95 {quantile(batches, 95)} batches"
    )
    return [line, *(f"refused: {count} requests, {refusal}" for refusal, count in refusals.most_common(5))]


def machine() -> dict[str, str]:
    """Return what the numbers depend on."""
    information = Path("/proc/cpuinfo")
    models = [line.split(":")[1].strip() for line in information.read_text().splitlines() if "model name" in line]
    described = ["git", "describe", "--always", "--dirty"]
    return {
        "machine": f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": f"Python {platform.python_version()}, Django {django.__version__}, chDB {chdb.__version__}, "
        f"Linux {platform.release()}",
        "code": subprocess.run(described, cwd=PROJECT_DIR, capture_output=True, text=True, check=False).stdout.strip(),
    }


def as_json(rows: Sequence[Row], ingest: Ingest, about: dict[str, Any]) -> dict[str, Any]:
    """Return all of it for a file: percentiles in milliseconds, costs as means of a request."""
    return {
        **about,
        "endpoints": [
            {
                "endpoint": row.endpoint,
                "target_ms": row.target_ms,
                "verdict": row.verdict,
                **{
                    way: {"requests": len(each), **{f"p{q}_ms": quantile(latencies(each), q) for q in QUANTILES}}
                    for way, each in (("paced", row.paced), ("flat_out", row.flat_out))
                },
                "filled_share": row.filled,
                "statuses_other_than_200": {str(status): count for status, count in row.bad().items()},
                "cost": asdict(row.cost) if row.cost else None,
            }
            for row in rows
        ],
        "ingest": {
            "wanted_spans_per_second": ingest.wanted_per_second,
            "spans_per_second": sum(not each.refusal for each in ingest.sent) * SPANS_A_REQUEST / ingest.seconds,
            "acknowledged_p99_ms": quantile([each.acknowledged_ms for each in ingest.sent if not each.refusal], 99),
            "refused_requests": sum(bool(each.refusal) for each in ingest.sent),
            "most_sealed_batches": max((batches for batches, _ in ingest.queue), default=0),
        },
    }
