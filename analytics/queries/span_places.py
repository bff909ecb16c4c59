"""Where do these spans stand? The depth and the self time of each, as in its whole trace."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from analytics.queries.spans import SpanKey, keys_of, text_of
from analytics.queries.trace_rows import MAX_SPANS, PLACE_COLUMNS, places_of
from analytics.tree import Places, arrange
from axonize.clickhouse.errors import QueryTooLarge
from axonize.clickhouse.json_rows import query_json

# How many spans are in memory at a time, a larger trace of up to MAX_SPANS alone; and how many one page may take.
PLACES_AT_ONCE: Final = 50_000
MAX_PLACES: Final = 500_000

_TIME: Final = "parseDateTime64BestEffort({%s:String}, 9, 'UTC')"
_OF_TRACES: Final = """
    tenant = {tenant:String}
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin({trace_ids:Array(String)})), 16))
"""


class Asked(NamedTuple):
    """A span: its key and its parent's id, JSON texts of its row."""

    key: SpanKey
    parent_id: bytes


class Standing(NamedTuple):
    """How many ancestors a span has in its trace, and the time in nanoseconds in which none of its children ran."""

    depth: int
    self_time_ns: int


@dataclass(frozen=True)
class _Extent:
    """A trace that the page has spans of: its id, from when to when it lasts, and how many spans it has."""

    trace_id: bytes
    start_time: bytes
    end_time: bytes
    spans: int


def standings(asked: Iterable[Asked], *, tenant: str) -> dict[Asked, Standing]:
    """Return where these spans stand; nothing of those whose trace has more than MAX_SPANS spans.

    Spans that were sent twice share the place of the first. A query, and another one for each PLACES_AT_ONCE spans that
    their traces have. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    wanted = set(asked)
    extents = [extent for extent in _extents(wanted, tenant) if extent.spans <= MAX_SPANS]
    if sum(extent.spans for extent in extents) > MAX_PLACES:
        raise QueryTooLarge(f"The traces of these spans have more than {MAX_PLACES:,} spans.")
    found: dict[Asked, Standing] = {}
    for some in _portions(extents):
        for spans, places in _read(some, tenant):
            tree = arrange(places)
            for at, span in enumerate(spans):
                if span in wanted:
                    found.setdefault(span, Standing(tree.depth[at], tree.self_time_ns[at]))
    return found


def _extents(asked: Iterable[Asked], tenant: str) -> list[_Extent]:
    """Return the extent of each span's trace, by start; of one that `traces` lacks yet, what is here of it."""
    extents: dict[bytes, _Extent] = {}
    for key, _ in asked:
        here = extents.get(key.trace_id, _Extent(key.trace_id, key.start_time, key.end_time, 0))
        start, end = min(here.start_time, key.start_time), max(here.end_time, key.end_time)
        extents[key.trace_id] = _Extent(key.trace_id, start, end, here.spans + 1)
    rows = query_json(
        f"""
        SELECT hex(trace_id) AS trace_hex, min(start_time) AS first, max(end_time) AS last, sum(span_count) AS spans
        FROM traces
        WHERE {_OF_TRACES}
        GROUP BY trace_id
        """,
        {"tenant": tenant, "trace_ids": [text_of(trace_id) for trace_id in extents]},
    ).columns()
    for trace_id, first, last, spans in zip(rows["trace_hex"], rows["first"], rows["last"], rows["spans"], strict=True):
        extents[trace_id] = _Extent(trace_id, first, last, int(spans))
    return sorted(extents.values(), key=lambda extent: extent.start_time)


def _portions(extents: Iterable[_Extent]) -> Iterator[list[_Extent]]:
    """Yield the traces in portions of at most PLACES_AT_ONCE spans, or one trace."""
    portion: list[_Extent] = []
    for extent in extents:
        if portion and sum(each.spans for each in portion) + extent.spans > PLACES_AT_ONCE:
            yield portion
            portion = []
        portion.append(extent)
    if portion:
        yield portion


def _read(extents: Sequence[_Extent], tenant: str) -> Iterator[tuple[list[Asked], Places]]:
    """Yield the spans of each trace, and where they stand."""
    rows = query_json(
        f"""
        SELECT {PLACE_COLUMNS}
        FROM spans
        PREWHERE {_OF_TRACES} AND start_time >= {_TIME % "first"} AND start_time <= {_TIME % "last"}
        ORDER BY trace_id, start_time, span_id, end_time, name
        """,
        {
            "tenant": tenant,
            "trace_ids": [text_of(extent.trace_id) for extent in extents],
            "first": text_of(min(extent.start_time for extent in extents)),
            "last": text_of(max(extent.end_time for extent in extents)),
        },
    )
    columns = rows.columns()
    trace_ids = columns["trace_hex"]
    begins = [at for at in range(len(rows)) if at == 0 or trace_ids[at] != trace_ids[at - 1]]
    for begin, end in zip(begins, [*begins[1:], len(rows)], strict=True):
        trace = {name: texts[begin:end] for name, texts in columns.items()}
        yield [Asked(*each) for each in zip(keys_of(trace), trace["parent_hex"], strict=True)], places_of(trace)
