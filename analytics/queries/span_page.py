"""Which spans of this trace match? A page of them, depth first, each with its depth and self time in the whole tree."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from analytics.params import Page
from analytics.queries.conditions import Conditions
from analytics.queries.spans import SpanKey, keys_of, spans_by_key, text_of
from analytics.queries.trace_rows import PLACE_COLUMNS, PLACE_ORDER, places_of, read_trace
from analytics.tree import arrange

_ORDER: Final = ", ".join(PLACE_ORDER)
_TRUE: Final = b"1"


@dataclass(frozen=True)
class SpanMatch:
    """What the spans of a page must satisfy; None does not ask."""

    service_name: str | None = None
    model_name: str | None = None
    status: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class SpanInTree:
    """The members of a span's JSON object, all but self_time_ms, and its place in its trace's tree.

    `depth` counts its ancestors; `self_time_ns` is the time in which none of its children ran. Both are None where the
    trace has more than MAX_SPANS spans.
    """

    members: bytes
    depth: int | None
    self_time_ns: int | None


@dataclass(frozen=True)
class SpanPage:
    """A page of spans, the count of all that match, and the cursor of the next page if there is one."""

    spans: list[SpanInTree]
    total: int
    next: str | None


def span_page(*, tenant: str, trace_id: str, match: SpanMatch, page: Page) -> SpanPage | None:
    """Return the page of the trace's spans that match, None where there is no trace of this id (lower-case hex).

    Reads where all spans stand, for depth needs every ancestor, and in full only those of the page: one query, and
    those of spans_by_key. Raises TooManySpans, QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    matching = _conditions(match)
    rows = read_trace(
        f"{PLACE_COLUMNS}, {' AND '.join(['1', *matching.sql])} AS wanted",
        tenant=tenant,
        trace_id=trace_id,
        parameters=matching.parameters,
        order=_ORDER,
    ).columns()
    if not rows["wanted"]:
        return None
    keys, tree = _numbered(keys_of(rows)), arrange(places_of(rows))
    wanted = [at for at in tree.order if rows["wanted"][at] == _TRUE]
    begin = page.offset
    if page.after is not None:
        # where the last page ended, also when spans have arrived before it
        begin = next((index for index, at in enumerate(wanted, 1) if _cursor(*keys[at]) == page.after), page.offset)
    shown = wanted[begin : begin + page.limit]
    if not shown:
        return SpanPage([], len(wanted), None)
    found = spans_by_key((keys[at][0] for at in shown), tenant=tenant, matching=Conditions(), order=_ORDER)
    spans = []
    for at in shown:
        key, number = keys[at]
        same = found.get((key, b"0"), [])
        if number < len(same):
            spans.append(SpanInTree(same[number], tree.depth[at], tree.self_time_ns[at]))
    return SpanPage(
        spans=spans,
        total=len(wanted),
        next=page.next(_cursor(*keys[shown[-1]])) if begin + page.limit < len(wanted) else None,
    )


def _conditions(match: SpanMatch) -> Conditions:
    conditions = Conditions()
    for column in ("service_name", "model_name", "name"):
        value = getattr(match, column)
        if value is not None:
            conditions.add(f"{column} = {{{column}:String}}", **{column: value})
    if match.status is not None:
        conditions.add("status = {status:String}", status=match.status)
    return conditions


def _numbered(keys: Iterable[SpanKey]) -> list[tuple[SpanKey, int]]:
    """Return each key with the number of those before it that are the same."""
    seen: Counter[SpanKey] = Counter()
    numbered = []
    for key in keys:
        numbered.append((key, seen[key]))
        seen[key] += 1
    return numbered


def _cursor(key: SpanKey, number: int) -> tuple[str, str, str, int]:
    return text_of(key.start_time), text_of(key.span_id), text_of(key.end_time), number
