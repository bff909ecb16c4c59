"""Which traces match? A page of them in the order asked for, and how many there are, as of one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from analytics.params import Page
from analytics.queries.conditions import Conditions
from analytics.queries.filters import TraceFilter, trace_conditions
from analytics.queries.summaries import TraceSummary
from analytics.queries.summary_rows import STORED_COLUMNS, SUMMARY_COLUMNS, summary_of
from axonize.clickhouse import client as clickhouse


@dataclass(frozen=True)
class TracePage:
    """A page of traces, the count of all that match, and the cursor of the next page if there is one."""

    traces: list[TraceSummary]
    total: int
    next: str | None


# The column of each order, and the SQL that brings its value back from a cursor.
ORDERS: Final[dict[str, tuple[str, str]]] = {
    "start_time": ("start_time", "fromUnixTimestamp64Nano({after_key:Int64}, 'UTC')"),
    "duration_ms": ("duration_ns", "{after_key:UInt64}"),
    "error_count": ("error_count", "{after_key:UInt64}"),
    "span_count": ("span_count", "{after_key:UInt64}"),
    # a cost that nobody sent sorts below every cost
    "cost_usd": ("ifNull(cost_usd, toDecimal128(-1, 12))", "{after_key:Decimal(38, 12)}"),
}

_AFTER_ID: Final = "toFixedString(unhex({after_id:String}), 16)"
# Of a trace that grew there are two rows that cancel each other out, next to one another; few traces grew just now.
_ROWS_PER_TRACE: Final = 2
_TRIES: Final = 4


def find_traces(*, tenant: str, wanted: TraceFilter, order_by: str, page: Page) -> TracePage:
    """Return a page of the traces that match; `order_by` is a key of ORDERS, `-` before it for descending.

    The pages that follow one another by cursor are all as of the moment of the first, for the quarter of an hour that
    former rows are kept. Three queries, one before them where attributes are asked for, and a second try at the last
    where very many of the traces at the page's place grew just now.
    """
    matching = trace_conditions(wanted, tenant=tenant)
    key, after_key = ORDERS[order_by.removeprefix("-")]
    descending = order_by.startswith("-")
    as_of_ms, *after_row = page.after or (_last_run_ms(),)
    parameters = {"tenant": tenant, "as_of_ms": as_of_ms, **matching.parameters}
    after = Conditions()
    if after_row:
        after_value, after_id = after_row
        after.add(
            f"({key}, trace_id) {'<' if descending else '>'} ({after_key}, {_AFTER_ID})",
            after_key=after_value,
            after_id=after_id,
        )
        if key == "start_time":  # the same for the primary key, which a pair is no condition on
            after.add(f"start_time {'<=' if descending else '>='} {after_key}")
    total = _count(matching, parameters)
    expected = max(0, min(page.limit + 2, total - page.offset))
    rows: list[dict[str, Any]] = []
    reach = page.skip + expected
    for _ in range(_TRIES if expected else 0):
        reach *= _ROWS_PER_TRACE
        bounds = {"reach": reach, "rows": page.limit + 2, "skip": page.skip}
        rows = _page(matching, after, f"{key} {'DESC' if descending else 'ASC'}", {**parameters, **bounds})
        # else the last row's counterpart may lie beyond the reach
        if len(rows) == expected:
            break
    shown = [summary_of(row) for row in rows[: page.limit]]
    more = len(rows) > page.limit
    return TracePage(
        traces=shown,
        total=total,
        next=page.next([as_of_ms, _sort_value(order_by, shown[-1]), shown[-1].trace_id]) if more else None,
    )


def _last_run_ms() -> int:
    """Return the run that a list is as of. Asked before all else, so that what is read then holds all of that run."""
    (row,) = clickhouse.query("SELECT toUnixTimestamp64Milli(max(run)) AS run_ms FROM summary_runs")
    run_ms: int = row["run_ms"]
    return run_ms


def _as_of(matching: Conditions) -> str:
    """Return the conditions on the rows that were there after the run that is bound as `as_of_ms`."""
    as_of = "fromUnixTimestamp64Milli({as_of_ms:Int64}, 'UTC')"
    return f"{matching.where()} AND written_at <= {as_of} AND (superseded_at = 0 OR superseded_at > {as_of})"


def _count(matching: Conditions, parameters: Mapping[str, object]) -> int:
    (row,) = clickhouse.query(
        f"SELECT sum(weight) AS total FROM trace_summaries WHERE {_as_of(matching)}",
        parameters,
    )
    total: int = row["total"]
    return total


def _page(
    matching: Conditions, after: Conditions, order: str, parameters: Mapping[str, object]
) -> list[dict[str, Any]]:
    """Return the rows of the page and two more, of the first `reach` stored ones."""
    direction = order.rpartition(" ")[2]
    return clickhouse.query(
        f"""
        SELECT {SUMMARY_COLUMNS}
        FROM
        (
            SELECT {STORED_COLUMNS}, version, weight
            FROM trace_summaries
            WHERE {_as_of(Conditions([*matching.sql, *after.sql]))}
            ORDER BY {order}, trace_id {direction}, version {direction}
            LIMIT {{reach:UInt64}}
        )
        GROUP BY {STORED_COLUMNS}, version
        HAVING sum(weight) > 0
        ORDER BY {order}, trace_id {direction}
        LIMIT {{rows:UInt64}} OFFSET {{skip:UInt64}}
        """,
        {**parameters, **after.parameters},
    )


def _sort_value(order_by: str, trace: TraceSummary) -> int | str:
    match order_by.removeprefix("-"):
        case "start_time":
            return trace.start_ns
        case "duration_ms":
            return trace.duration_ns
        case "cost_usd":
            return str(Decimal(-1) if trace.cost_usd is None else trace.cost_usd)
        case column:
            value: int = getattr(trace, column)
            return value
