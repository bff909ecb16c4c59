"""What the parts of a stack use: CPU, memory, disk, parts and merges."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types

from bench.chaos.stack import PARTS, Stack

SERVERS = tuple(PARTS)
_TABLES = "database = 'axonize' AND active"
_EVENTS = ("Merge", "MergedRows", "MergesTimeMilliseconds", "InsertedRows")


@dataclass(frozen=True)
class Mark:
    """What was used up to a moment."""

    cpu_seconds: Mapping[str, float]
    """By part, of user and system time."""
    merges: int
    merged_rows: int
    inserted_rows: int


def mark(stack: Stack) -> Mark:
    """Return it. Raises OSError when ClickHouse does not answer, RuntimeError when a part is not there."""
    events = {name: int(value) for name, value in stack.ask("SELECT event, value FROM system.events")}
    return Mark(
        {part: _cpu_seconds(stack, part) for part in SERVERS},
        merges=events.get("Merge", 0),
        merged_rows=events.get("MergedRows", 0),
        inserted_rows=events.get("InsertedRows", 0),
    )


def used(before: Mark, after: Mark) -> Mapping[str, float]:
    """Return the CPU seconds of each part between two moments."""
    return {part: after.cpu_seconds[part] - before.cpu_seconds[part] for part in SERVERS}


def peak_memory_mib(stack: Stack) -> Mapping[str, int]:
    """Return the most that each part has had resident, with its children, each at its own moment."""
    return {part: sum(_peak_kib(each) for each in _processes(stack, part)) // 1024 for part in SERVERS}


def memory_mib(stack: Stack) -> Mapping[str, int]:
    """Return what each part, with its children, has resident."""
    return {part: sum(each.memory_info().rss for each in _processes(stack, part)) // 2**20 for part in SERVERS}


def disk(stack: Stack) -> Mapping[str, tuple[int, int, int]]:
    """Return rows, bytes and parts of each table. Raises OSError."""
    columns = "table, sum(rows), sum(bytes_on_disk) AS bytes, count()"
    grouped = f"FROM system.parts WHERE {_TABLES} GROUP BY table ORDER BY bytes DESC"
    asked = f"SELECT {columns} {grouped}"
    return {table: (int(count), int(size), int(parts)) for table, count, size, parts in stack.ask(asked)}


def most_parts(stack: Stack) -> int:
    """Return how many parts the partition has that has most. Raises OSError."""
    parts = f"SELECT count() FROM system.parts WHERE {_TABLES} GROUP BY table, partition ORDER BY 1 DESC LIMIT 1"  # noqa: S608 - our own
    return int(stack.ask(parts)[0][0])


def merges_under_way(stack: Stack) -> int:
    """Return how many merges run. Raises OSError."""
    return int(stack.ask("SELECT count() FROM system.merges")[0][0])


def _processes(stack: Stack, part: str) -> "list[psutil.Process]":
    process = stack.process_of(part)
    if process is None:
        raise RuntimeError(f"{part} is not running.")
    return [process, *process.children(recursive=True)]


def _cpu_seconds(stack: Stack, part: str) -> float:
    times = [each.cpu_times() for each in _processes(stack, part)]
    return float(sum(each.user + each.system for each in times))


def _peak_kib(process: psutil.Process) -> int:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
