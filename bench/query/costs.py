"""What answers cost, measured while nothing else goes on: CPU of the processes, and what ClickHouse reads."""

import http.client
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]  # it ships no types

from bench.query.asking import ANSWER_SECONDS, Question, ask
from bench.query.stored import Server

CPU_QUESTIONS, READ_QUESTIONS = 60, 40
WARM_UP = 5
"""Questions before those that count, for a process learns at its first ones."""


@dataclass(frozen=True)
class Cost:
    """Means of one request."""

    web_cpu_ms: float
    clickhouse_cpu_ms: float
    queries: float
    rows_read: float
    bytes_read: float


def cost(server: Server, questions: Sequence[Question]) -> Cost:
    """Ask some of the questions one after the other. Raises RuntimeError when a part of the stack is not there."""
    web, clickhouse = cpu(server, questions[: CPU_QUESTIONS + WARM_UP])
    asked = [(each.target, each.key) for each in questions[: READ_QUESTIONS + WARM_UP]]
    reads = server.inside("reads", asked)[WARM_UP:]
    _, queries, rows, size = (sum(column) / max(1, len(reads)) for column in zip(*reads, strict=True))
    return Cost(web, clickhouse, queries, rows, size)


def cpu(server: Server, questions: Sequence[Question]) -> tuple[float, float]:
    """Return the milliseconds of the web process and of ClickHouse that an answer takes."""
    counted = questions[WARM_UP:]
    with closing(http.client.HTTPConnection("127.0.0.1", server.web_port, timeout=ANSWER_SECONDS)) as connection:
        for question in questions[:WARM_UP]:
            ask(connection, question)
        before = [cpu_seconds(server, part) for part in ("web", "clickhouse")]
        for question in counted:
            ask(connection, question)
        after = [cpu_seconds(server, part) for part in ("web", "clickhouse")]
    web, clickhouse = ((end - begin) * 1000 / max(1, len(counted)) for begin, end in zip(before, after, strict=True))
    return web, clickhouse


def cpu_seconds(server: Server, part: str) -> float:
    """Return what a part and its children have used so far, of user and system time."""
    process = server.stack.process_of(part)
    if process is None:
        raise RuntimeError(f"{part} is not running.")
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def memory_mib(server: Server, part: str) -> int:
    """Return the resident memory of a part and its children."""
    process = server.stack.process_of(part)
    found: list[psutil.Process] = [process, *process.children(recursive=True)] if process else []
    return int(sum(each.memory_info().rss for each in found)) // 2**20
