"""Which traces match? A page of them in the order asked for, and how many there are, as of one moment."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from analytics.params import Page
from analytics.queries.conditions import Conditions
from analytics.queries.filters import TimedFilter, trace_conditions
from analytics.queries.prices import TRACE_COST
from analytics.queries.summaries import TraceSummary
from analytics.queries.summary_rows import SUMMARY_COLUMNS, summary_of
from axonize.clickhouse import client as clickhouse


@dataclass(frozen=True)
class TracePage:
    """A page of traces, the count of all that match, and the cursor of the next page if there is one."""

    traces: list[TraceSummary]
    total: int
    next: str | None


# The column of each order, and the type that brings its value back from a cursor. Equals are in order of time, then id.
ORDERS: Final[dict[str, tuple[str, str]]] = {
    "start_time": ("toUnixTimestamp64Nano(start_time)", "Int64"),
    "duration_ms": ("duration_ns", "UInt64"),
    "error_count": ("error_count", "UInt64"),
    "span_count": ("span_count", "UInt64"),
    # a cost that nobody knows sorts below every cost
    "cost_usd": (f"ifNull({TRACE_COST}, toDecimal128(-1, 12))", "Decimal(38, 12)"),
}
# A trace that grew has two rows more, next to one another, that cancel each other out; few traces grew just now.
_MORE_ROWS_FIRST: Final = 20
# Up to so many rows before a page are read with it, which costs less than to ask first where the page begins.
MAX_READ_PAST: Final = 200
_TRIES: Final = 4
_ROWS_PER_TRY: Final = 4

_AFTER_START: Final = "fromUnixTimestamp64Nano({after_start_ns:Int64}, 'UTC')"
_AFTER_ID: Final = "toFixedString(unhex({after_id:String}), 16)"

# What a row is sorted by, as a cursor carries it: the order's value, its start in nanoseconds, its trace's id in hex.
Key = tuple[int | str, int, str]


def find_traces(*, tenant: str, wanted: TimedFilter, order_by: str, page: Page) -> TracePage:
    """Return a page of the traces that match; `order_by` is a key of ORDERS, `-` before it for descending.

    The pages that follow one another by cursor are all as of the moment of the first, for the quarter of an hour that
    former rows are kept. Three queries for the first page and one for each that follows, one more each for attributes
    and for a large offset, and another try where very many of the traces at the page's place grew just now.
    """
    matching = trace_conditions(wanted, tenant=tenant)
    as_of_ms, total, *key = page.after or (_last_run_ms(), None)
    rows = _Rows(matching.sql, order_by, {"tenant": tenant, "as_of_ms": as_of_ms, **matching.parameters})
    recent = rows
    if total is None and wanted.span.attributes and order_by == "-start_time" and not page.offset:
        total, since_ns = rows.count_and_reach(page.limit + 1 + _MORE_ROWS_FIRST)
        recent = rows.since(since_ns)
    elif total is None:
        total = rows.count()
    after: Key | None = (key[0], key[1], key[2]) if key else None
    expected = max(0, min(page.limit + 1, total - page.offset))
    read_past = page.skip if page.skip <= MAX_READ_PAST else 0
    if expected and page.skip > MAX_READ_PAST:
        after = rows.key_of(page.skip)
        expected = 0 if after is None else expected
    wanted_rows = read_past + expected if expected else 0
    live = recent.read(wanted_rows, after)
    if recent is not rows and len(live) < wanted_rows:  # more traces than usual grew just now
        live = rows.read(wanted_rows, after)
    found = [summary_of(row) for row in live[read_past:]]
    shown = found[: page.limit]
    return TracePage(
        traces=shown,
        total=total,
        next=page.next([as_of_ms, total, *_key(order_by, shown[-1])]) if len(found) > page.limit else None,
    )


class _Rows:
    """The rows of trace_summaries that match as of one run, in one order."""

    def __init__(self, matching: Sequence[str], order_by: str, parameters: Mapping[str, object]) -> None:
        as_of = "fromUnixTimestamp64Milli({as_of_ms:Int64}, 'UTC')"
        there = f"written_at <= {as_of} AND (superseded_at = 0 OR superseded_at > {as_of})"
        self._there = Conditions([*matching, there])
        self._matching, self._order_by, self._parameters = matching, order_by, parameters
        self._by_time = order_by.removeprefix("-") == "start_time"
        self._value, self._type = ORDERS[order_by.removeprefix("-")]
        self._direction, self._beyond = ("DESC", "<") if order_by.startswith("-") else ("ASC", ">")
        columns = (
            ("start_time", "trace_id", "version")
            if self._by_time
            else (self._value, "start_time", "trace_id", "version")
        )
        self._order = ", ".join(f"{column} {self._direction}" for column in columns)

    def count(self) -> int:
        (row,) = clickhouse.query(
            f"SELECT sum(weight) AS total FROM trace_summaries WHERE {self._there.where()}", self._parameters
        )
        total: int = row["total"]
        return total

    def count_and_reach(self, reach: int) -> tuple[int, int]:
        """Return the count and, in nanoseconds, when the trace of the last of the `reach` newest rows started."""
        (row,) = clickhouse.query(
            f"""
            SELECT
                sum(weight) AS total,
                -arrayMax(groupArraySorted({reach})(-toUnixTimestamp64Nano(start_time))) AS since_ns
            FROM trace_summaries
            WHERE {self._there.where()}
            """,
            self._parameters,
        )
        return row["total"], row["since_ns"]

    def since(self, start_ns: int) -> "_Rows":
        """Return the rows, searched for by attributes, of which no trace, and so no span, started before then."""
        later = "start_time >= fromUnixTimestamp64Nano({spans_start_ns:Int64}, 'UTC')"
        return _Rows([*self._matching, later], self._order_by, {**self._parameters, "spans_start_ns": start_ns})

    def read(self, count: int, after: Key | None) -> list[dict[str, Any]]:
        """Return the first `count` rows after a key, or fewer where there are no more."""
        live: list[dict[str, Any]] = []
        where = self._beyond_key(after)
        reach = count + _MORE_ROWS_FIRST
        for _ in range(_TRIES if count else 0):
            rows = clickhouse.query(
                f"""
                SELECT {SUMMARY_COLUMNS}, version, weight
                FROM trace_summaries
                WHERE {where.where()} {"" if self._by_time else f"AND {self._within_reach(where)}"}
                ORDER BY {self._order}
                LIMIT {{reach:UInt64}}
                """,
                {**self._parameters, **where.parameters, "reach": reach},
            )
            live = _live(rows)
            # where the reach ends, a row may stand without its counterpart
            if len(live) > count or len(rows) < reach:
                break
            reach *= _ROWS_PER_TRY
        return live[:count]

    def key_of(self, number: int) -> Key | None:
        """Return the key of the row of this number, from 1; None where that and another one after it can't be found."""
        reach = number + _MORE_ROWS_FIRST
        for _ in range(_TRIES):
            rows = clickhouse.query(
                f"""
                SELECT
                    {self._value} AS value,
                    toUnixTimestamp64Nano(start_time) AS start_ns,
                    lower(hex(trace_id)) AS id
                FROM
                (
                    SELECT *
                    FROM trace_summaries
                    WHERE {self._there.where()}
                    ORDER BY {self._order}
                    LIMIT {{reach:UInt64}}
                )
                GROUP BY value, start_time, trace_id, version
                HAVING sum(weight) > 0
                ORDER BY value {self._direction}, start_time {self._direction}, trace_id {self._direction}
                LIMIT 2 OFFSET {{before:UInt64}}
                """,
                {**self._parameters, "reach": reach, "before": number - 1},
            )
            # with a row after it, its counterpart is not beyond the reach
            if len(rows) > 1:
                value = rows[0]["value"]
                return str(value) if isinstance(value, Decimal) else int(value), rows[0]["start_ns"], rows[0]["id"]
            reach *= _ROWS_PER_TRY
        return None

    def _beyond_key(self, after: Key | None) -> Conditions:
        where = Conditions([*self._there.sql])
        if after is None:
            return where
        columns, values = "start_time, trace_id", f"{_AFTER_START}, {_AFTER_ID}"
        if self._by_time:  # the same again for the primary key, which a pair is no condition on
            where.add(f"start_time {self._beyond}= {_AFTER_START}")
        else:
            columns, values = f"{self._value}, {columns}", f"{{after_value:{self._type}}}, {values}"
            where.parameters["after_value"] = after[0]
        where.add(f"({columns}) {self._beyond} ({values})", after_start_ns=after[1], after_id=after[2])
        return where

    def _within_reach(self, where: Conditions) -> str:
        """Return the condition that a row started when one of those in reach did, by the columns that cost little.

        So all that a list shows is read of a few stretches, by the primary key, and not of all rows that match.
        """
        return f"""start_time IN (
            SELECT start_time
            FROM trace_summaries
            WHERE {where.where()}
            ORDER BY {self._value} {self._direction}, start_time {self._direction}
            LIMIT {{reach:UInt64}})"""


def _last_run_ms() -> int:
    """Return the run that a list is as of. Asked before all else, so that what is read then holds all of that run."""
    (row,) = clickhouse.query("SELECT toUnixTimestamp64Milli(max(run)) AS run_ms FROM summary_runs")
    run_ms: int = row["run_ms"]
    return run_ms


def _live(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows whose weights don't cancel each other out, each once."""
    weights: Counter[int] = Counter()
    for row in rows:
        weights[row["version"]] += row["weight"]
    return list({row["version"]: row for row in rows if weights[row["version"]] > 0}.values())


def _key(order_by: str, trace: TraceSummary) -> Key:
    match order_by.removeprefix("-"):
        case "start_time":
            value: int | str = trace.start_ns
        case "duration_ms":
            value = trace.duration_ns
        case "cost_usd":
            value = str(Decimal(-1) if trace.cost_usd is None else trace.cost_usd)
        case column:
            value = getattr(trace, column)
    return value, trace.start_ns, trace.trace_id
