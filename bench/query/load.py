"""Storing the month: ClickHouse makes it, block after block into `mapped_spans`, so that all views run as in ingest."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver import Client
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from axonize.demo.texts import LONG_DOCUMENT
from bench.query import tables
from bench.query.fleet import ENVIRONMENTS, GENERATIONS, TENANTS, Pod, pods, shares
from bench.query.flows import FLOWS

DAYS = 30
HOUR_SECONDS = 3600
BLOCK_SPANS = 100_000
INSERTS_AT_ONCE = 2
GIANTS = 8
"""How many traces of 10,000 spans there are in ten million."""
INSERT_SECONDS = 300
SAMPLED_FROM, SAMPLED_TRACES = 1_000, 50_000
PROMPT_CHARACTERS = 12_000
FINISH_REASONS = ("stop", "stop", "stop", "length", "tool_calls")
SPANS, TRACES = (Path(__file__).with_name(name) for name in ("spans.sql", "traces.sql"))


@dataclass(frozen=True)
class Hour:
    """An hour of the month or a piece of one, and the traces that begin in it."""

    begin_ns: int
    length_ns: int
    first_trace: int
    traces: int


def connect(port: int) -> Client:
    """Return a client of a stack's ClickHouse. Raises what clickhouse-connect raises."""
    return clickhouse_connect.get_client(
        host="127.0.0.1",
        port=port,
        database="axonize",
        send_receive_timeout=INSERT_SECONDS,
        autogenerate_session_id=False,
    )


def load(port: int, *, spans: int, seed: int, until_ns: int, say: Callable[[str], None]) -> None:
    """Store about so many spans of the 30 days before a moment (nanoseconds since 1970)."""
    client = connect(port)
    fleet = pods()
    tables.make(client, fleet)
    parameters = bound(fleet, seed=seed, until_ns=until_ns)
    a_trace = spans_a_trace(client, parameters)
    blocks = list(blocks_of(hours(spans / a_trace, until_ns), traces=BLOCK_SPANS / a_trace))
    sql = SPANS.read_text().replace("{traces}", TRACES.read_text())
    started = time.monotonic()

    def insert(block: Sequence[Hour]) -> None:
        connect(port).command(sql, parameters={**parameters, "hours": [astuple(hour) for hour in block]})

    with ThreadPoolExecutor(INSERTS_AT_ONCE) as pool:
        for number, _ in enumerate(pool.map(insert, blocks), 1):
            if number % 10 == 0 or number == len(blocks):
                say(f"loading: {number} of {len(blocks)} blocks after {time.monotonic() - started:.0f} s")
    tables.drop(client)


def spans_a_trace(client: Client, parameters: dict[str, Any]) -> float:
    """Return the mean number of spans of a trace, but for the largest, of which a sample has too many or none."""
    sample = {**parameters, "hours": [astuple(Hour(0, HOUR_SECONDS * 10**9, SAMPLED_FROM, SAMPLED_TRACES))]}
    found = client.query(f"SELECT avg(span_count) FROM ({TRACES.read_text()})", parameters=sample)  # noqa: S608 - our own
    return float(found.result_rows[0][0])


def weight(hour: datetime, *, days_ago: float) -> float:
    """Return how busy an hour is: days above nights, workdays above weekends; the month grows towards its end."""
    by_day = 0.35 + 0.65 * max(0.0, 1 - abs(hour.hour + 0.5 - 14) / 9)
    return by_day * (0.45 if hour.weekday() >= 5 else 1.0) * (0.5 + 1.5 * (1 - days_ago / DAYS))


def hours(traces: float, until_ns: int) -> list[Hour]:
    """Return the hours of the month, the last one cut off, with the traces dealt out among them by their weight."""
    until_s = until_ns // 10**9
    begins = range((until_s - DAYS * 86_400) // HOUR_SECONDS * HOUR_SECONDS + HOUR_SECONDS, until_s, HOUR_SECONDS)
    lengths = [min(HOUR_SECONDS, until_s - begin) for begin in begins]
    weights = [
        weight(datetime.fromtimestamp(begin, UTC), days_ago=(until_s - begin) / 86_400) * length
        for begin, length in zip(begins, lengths, strict=True)
    ]
    found: list[Hour] = []
    first = 0
    for begin, length, share in zip(begins, lengths, shares(weights), strict=True):
        last = round(traces * share)
        found.append(Hour(begin * 10**9, length * 10**9, first, last - first))
        first = last
    return found


def blocks_of(month: Sequence[Hour], *, traces: float) -> Iterator[list[Hour]]:
    """Yield the month in blocks of about so many traces, none of two days: a day is a partition of `spans`."""
    block: list[Hour] = []
    for hour in month:
        pieces = max(1, round(hour.traces / traces))
        for piece in range(pieces):
            begin, end = (hour.length_ns * each // pieces for each in (piece, piece + 1))
            first, last = (hour.traces * each // pieces for each in (piece, piece + 1))
            if block and (block[0].begin_ns // (86_400 * 10**9) != hour.begin_ns // (86_400 * 10**9)):
                yield block
                block = []
            block.append(Hour(hour.begin_ns + begin, end - begin, hour.first_trace + first, last - first))
            if sum(each.traces for each in block) >= traces:
                yield block
                block = []
    if block:
        yield block


def bound(fleet: Sequence[Pod], *, seed: int, until_ns: int) -> dict[str, Any]:
    """Return what both statements bind, but for `hours`."""
    exception = KeyValue(key="exception.type", value=AnyValue(string_value="RuntimeError"))
    return {
        "seed": seed,
        "tenants": list(TENANTS),
        "tenant_shares": shares(list(TENANTS.values())),
        "environments": list(ENVIRONMENTS),
        "environment_shares": shares(list(ENVIRONMENTS.values())),
        "flow_shares": shares([flow.weight for flow in FLOWS]),
        "medians_ms": [flow.median_ms for flow in FLOWS],
        "routes": [flow.route for flow in FLOWS],
        "stages_of_flows": [len(flow.stages) for flow in FLOWS],
        "agent_flow": 1 + [flow.name for flow in FLOWS].index("agent"),
        "giant_every": 10**7 // 7 // GIANTS,
        "generations": GENERATIONS,
        "pods_a_generation": len(fleet) // GENERATIONS,
        "month_begin_ns": until_ns - DAYS * 86_400 * 10**9,
        "month_ns": DAYS * 86_400 * 10**9,
        "text": LONG_DOCUMENT[:PROMPT_CHARACTERS],
        "finish_reasons": [encoded([reason]).hex() for reason in FINISH_REASONS],
        "exception_type": exception.SerializeToString().hex(),
    }


def encoded(strings: Sequence[str]) -> bytes:
    """Return an array as `mapped_spans.attributes_encoded` has it: a letter and the OTLP protobuf."""
    return b"a" + ArrayValue(values=[AnyValue(string_value=text) for text in strings]).SerializeToString()
