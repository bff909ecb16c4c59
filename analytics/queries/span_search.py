"""Which spans match, whatever trace they are of? A page of them in the order asked for, and how many there are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analytics.params import Page
from analytics.queries.conditions import Conditions
from analytics.queries.filters import TimedFilter, own_conditions, span_conditions
from analytics.queries.span_page import SpanInTree, SpanPage
from analytics.queries.span_places import Asked, standings
from analytics.queries.spans import SpanKey, keys_of, spans_by_key, text_of
from analytics.queries.trace_rows import PLACE_COLUMNS, PLACE_ORDER
from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.json_rows import query_json

# How each order is computed from a row of `spans`, and the SQL that brings its value back from a cursor.
ORDERS: Final[dict[str, tuple[str, str]]] = {
    "start_time": ("start_time", "parseDateTime64BestEffort({after_value:String}, 9, 'UTC')"),
    "duration_ms": ("duration_ns", "{after_value:UInt64}"),
    # a cost that nobody sent sorts below every cost
    "cost_usd": ("ifNull(cost_usd, toDecimal128(-1, 12))", "{after_value:Decimal(38, 12)}"),
}
_AFTER: Final = """
    parseDateTime64BestEffort({after_start:String}, 9, 'UTC'),
    toFixedString(unhex({after_trace:String}), 16),
    toFixedString(unhex({after_span:String}), 8),
    parseDateTime64BestEffort({after_end:String}, 9, 'UTC')
"""


@dataclass(frozen=True)
class _Order:
    """The order of a list: the expression that it begins with, and the SQL that brings its value back from a cursor."""

    value: str
    value_of_cursor: str
    descending: bool

    @property
    def sql(self) -> str:
        return self._directed(self.value, *PLACE_ORDER)

    def within(self, there: Conditions) -> str:
        """Return the condition that a span is not beyond the first `reach` of those that are there; that is bound.

        Where to stop is found by times, or values and times, alone. With more columns in its order ClickHouse reads on
        and on, for any number of spans might have begun at one time.
        """
        columns = list(dict.fromkeys((self.value, "start_time")))
        values = f"({', '.join(columns)})"  # of one column it is no tuple, so the primary key serves
        return f"""{values} {">=" if self.descending else "<="} (
            SELECT {"min" if self.descending else "max"}(place)
            FROM
            (
                SELECT {values} AS place
                FROM spans
                WHERE {there.where()}
                ORDER BY {self._directed(*columns)}
                LIMIT {{reach:UInt64}}
            ))"""

    def relative_to(self, cursor: Sequence[str], *, after: bool) -> Conditions:
        """Return the conditions on the spans before the one that a cursor names, or on that one and those after it."""
        names = ("after_value", "after_start", "after_trace", "after_span", "after_end")
        operator = ("<=" if self.descending else ">=") if after else (">" if self.descending else "<")
        conditions = Conditions(parameters=dict(zip(names, cursor, strict=True)))
        columns = ", ".join((self.value, *PLACE_ORDER[:-1]))
        conditions.add(f"({columns}) {operator} ({self.value_of_cursor}, {_AFTER})")
        if self.value == "start_time" and after:  # the same for the primary key, which a tuple is no condition on
            conditions.add(f"start_time {operator} {self.value_of_cursor}")
        return conditions

    def _directed(self, *columns: str) -> str:
        return ", ".join(f"{column} {'DESC' if self.descending else 'ASC'}" for column in columns)


# What a row is found again by: its key, and the value that it is sorted by.
_Label = tuple[SpanKey, bytes]


def find_spans(*, tenant: str, wanted: TimedFilter, order_by: str, page: Page) -> SpanPage:
    """Return a page of the spans that match; `order_by` is a key of ORDERS, `-` before it for descending.

    Whatever is long is read of the page's spans alone. Two queries, those of standings and of spans_by_key, and one
    where attributes are asked for. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    matching = own_conditions(wanted)
    matching.extend(span_conditions(wanted.span, tenant=tenant))
    order = _Order(*ORDERS[order_by.removeprefix("-")], descending=order_by.startswith("-"))
    total = _count(tenant, matching)
    if total <= page.offset and page.after is None:
        return SpanPage([], total, None)
    rows = _rows(tenant, matching, order, page)
    keys = keys_of(rows)[: page.limit]
    if not keys:
        return SpanPage([], total, None)
    labels = list(zip(keys, rows["value"], strict=False))
    asked = list(map(Asked, keys, rows["parent_hex"]))
    found = spans_by_key(keys, tenant=tenant, matching=matching, order=order.sql, label=order.value)
    places = standings(asked, tenant=tenant)
    first = 0
    if page.after is not None:
        *cursor, shown = page.after
        first = shown if _cursor(labels[0]) == cursor else 0
    elif page.offset and len(found.get(labels[0], ())) > 1:
        preceding = order.relative_to(_cursor(labels[0]), after=False)
        preceding.extend(matching)
        first = page.offset - _count(tenant, preceding)
    numbers = _numbers(labels, first=first)
    spans = [
        SpanInTree(_with_trace_id(label[0], found[label][number]), *places.get(span, (None, None)))
        for label, number, span in zip(labels, numbers, asked, strict=True)
        if number < len(found.get(label, ()))
    ]
    more = len(rows["value"]) > page.limit
    return SpanPage(spans, total, page.next([*_cursor(labels[-1]), numbers[-1] + 1]) if more else None)


def _rows(tenant: str, matching: Conditions, order: _Order, page: Page) -> Mapping[str, list[bytes]]:
    """Return PLACE_COLUMNS and the value of the order of the page's rows, and of one more if there is one."""
    there, skip = Conditions([*matching.sql], {**matching.parameters}), page.skip
    if page.after is not None:
        *cursor, skip = page.after
        there.extend(order.relative_to(cursor, after=True))
    rows = page.limit + 1
    return query_json(
        f"""
        SELECT {order.value} AS value, {PLACE_COLUMNS}
        FROM spans
        WHERE {there.where()} AND {order.within(there)}
        ORDER BY {order.sql}
        LIMIT {{rows:UInt64}} OFFSET {{skip:UInt64}}
        """,
        {**there.parameters, "tenant": tenant, "rows": rows, "skip": skip, "reach": skip + rows},
    ).columns()


def _numbers(labels: Sequence[_Label], *, first: int) -> list[int]:
    """Return which of the spans that share its label each row is, where the first row is number `first` of them."""
    seen: Counter[_Label] = Counter({labels[0]: first})
    numbers = []
    for label in labels:
        numbers.append(seen[label])
        seen[label] += 1
    return numbers


def _count(tenant: str, matching: Conditions) -> int:
    (row,) = clickhouse.query(
        f"SELECT count() AS total FROM spans WHERE {matching.where()}", {**matching.parameters, "tenant": tenant}
    )
    total: int = row["total"]
    return total


def _cursor(label: _Label) -> list[str]:
    """Return what names a label in a cursor; how many of the spans that share it were shown follows there."""
    key, value = label
    return [text_of(text) for text in (value, key.start_time, key.trace_id, key.span_id, key.end_time)]


def _with_trace_id(key: SpanKey, members: bytes) -> bytes:
    return b'"trace_id":' + key.trace_id.lower() + b"," + members
