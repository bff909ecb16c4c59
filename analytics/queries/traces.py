"""Which traces match? Their ids in the order asked for, a page of them, and how many there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from analytics.params import Page
from analytics.queries.filters import Conditions, SpanFilter, span_conditions
from axonize.clickhouse import client as clickhouse


@dataclass(frozen=True)
class TraceFilter:
    """What a whole trace must satisfy, times and durations in nanoseconds, and what one span of it must."""

    start_ns: int | None = None
    end_ns: int | None = None
    status: str | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    span: SpanFilter = field(default_factory=SpanFilter)


@dataclass(frozen=True)
class TraceIds:
    """A page of ids (lower-case hex), the count of all that match, and the cursor of the next page if there is one."""

    trace_ids: list[str]
    total: int
    next: str | None


# How each order is computed from the rows of `traces`, and the type that carries its value in a cursor.
ORDERS: Final[dict[str, tuple[str, str]]] = {
    "start_time": ("toUnixTimestamp64Nano(min(start_time))", "Int64"),
    "duration_ms": ("toUnixTimestamp64Nano(max(end_time)) - toUnixTimestamp64Nano(min(start_time))", "Int64"),
    "error_count": ("sum(error_count)", "UInt64"),
    "span_count": ("sum(span_count)", "UInt64"),
    # a cost that nobody sent sorts below every cost
    "cost_usd": ("ifNull(sum(cost_usd), toDecimal128(-1, 12))", "Decimal(38, 12)"),
}
_STATUS_CONDITIONS: Final = {
    "error": "sum(error_count) > 0",
    "ok": "sum(error_count) = 0 AND argMinMerge(first).status = 1",
    "unset": "sum(error_count) = 0 AND argMinMerge(first).status = 0",
}


def find_traces(*, tenant: str, wanted: TraceFilter, order_by: str, page: Page) -> TraceIds:
    """Return a page of the traces that match; `order_by` is a key of ORDERS, `-` before it for descending.

    One query, a second one for the count where the page is past the end.
    """
    descending = order_by.startswith("-")
    key, key_type = ORDERS[order_by.removeprefix("-")]
    matching = matching_traces(f"trace_id, {key} AS sort_key", wanted)
    parameters: dict[str, object] = {**matching.parameters, "tenant": tenant, "rows": page.limit + 1, "skip": page.skip}
    after = ""
    if page.after is not None:
        parameters["after_key"], parameters["after_id"] = page.after
        after = f"""WHERE (sort_key, trace_id) {"<" if descending else ">"}
            ({{after_key:{key_type}}}, toFixedString(unhex({{after_id:String}}), 16))"""
    direction = "DESC" if descending else "ASC"
    rows = clickhouse.query(
        f"""
        SELECT lower(hex(trace_id)) AS id, sort_key, total
        FROM (SELECT trace_id, sort_key, count() OVER () AS total FROM ({matching.select}))
        {after}
        ORDER BY sort_key {direction}, trace_id {direction}
        LIMIT {{rows:UInt64}} OFFSET {{skip:UInt64}}
        """,
        parameters,
    )
    total = rows[0]["total"] if rows else _count(matching, parameters)
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    last = rows[-1] if rows else None
    return TraceIds(
        trace_ids=[row["id"] for row in rows],
        total=total,
        next=page.next([_cursor_value(last["sort_key"]), last["id"]]) if more and last else None,
    )


@dataclass(frozen=True)
class Matching:
    """A SELECT of one row a matching trace, and what it binds besides `tenant`."""

    select: str
    parameters: Mapping[str, object]


def matching_traces(columns: str, wanted: TraceFilter) -> Matching:
    """Return the SELECT of `columns`, aggregates over a trace's rows of `traces`, for each trace that matches."""
    where, having = Conditions(["tenant = {tenant:String}"]), Conditions()
    one_span = span_conditions(wanted.span)
    if one_span.sql:
        if wanted.start_ns is not None:
            # no span starts before its trace; this prunes the days that cannot matter
            one_span.add("start_time >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')")
        spans = " AND ".join(["tenant = {tenant:String}", *one_span.sql])
        where.add(f"trace_id IN (SELECT trace_id FROM spans WHERE {spans})", **one_span.parameters)
    if wanted.start_ns is not None:
        having.add("min(start_time) >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')", start_ns=wanted.start_ns)
    if wanted.end_ns is not None:
        having.add("min(start_time) < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')", end_ns=wanted.end_ns)
    duration = ORDERS["duration_ms"][0]
    if wanted.min_duration_ns is not None:
        having.add(f"{duration} >= {{min_duration_ns:Int64}}", min_duration_ns=wanted.min_duration_ns)
    if wanted.max_duration_ns is not None:
        having.add(f"{duration} <= {{max_duration_ns:Int64}}", max_duration_ns=wanted.max_duration_ns)
    if wanted.status is not None:
        having.add(_STATUS_CONDITIONS[wanted.status])
    select = f"SELECT {columns} FROM traces WHERE {' AND '.join(where.sql)} GROUP BY trace_id"
    if having.sql:
        select += f" HAVING {' AND '.join(having.sql)}"
    return Matching(select, {**where.parameters, **having.parameters})


def _count(matching: Matching, parameters: Mapping[str, object]) -> int:
    rows = clickhouse.query(f"SELECT count() AS total FROM ({matching.select})", parameters)
    total: int = rows[0]["total"]
    return total


def _cursor_value(value: Any) -> int | str:
    return str(value) if isinstance(value, Decimal) else int(value)
