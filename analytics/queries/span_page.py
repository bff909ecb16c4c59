"""Which spans of this trace match? A page of them, depth first, each with its depth and self time in the whole tree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.params import Page
from analytics.queries.spans import SpanMatch, places, whole_spans
from analytics.queries.summaries import TraceSummary
from analytics.span_rows import Span
from analytics.tree import Placed, arrange

Key = tuple[str, int, int]


@dataclass(frozen=True)
class SpanInTree:
    """A span, how many ancestors it has here, and the time in nanoseconds in which none of its children ran."""

    span: Span
    depth: int
    self_time_ns: int


@dataclass(frozen=True)
class SpanPage:
    spans: list[SpanInTree]
    total: int
    next: str | None


def span_page(*, tenant: str, trace: TraceSummary, match: SpanMatch, page: Page) -> SpanPage:
    """Return the page of the trace's spans that match.

    Reads where all spans stand, for depth needs every ancestor, and in full only those of the page.
    """
    placed = places(tenant=tenant, trace=trace, match=match)
    tree, keys = arrange(placed), _keys(placed)
    wanted = [at for at in tree.order if placed[at].wanted]
    begin = page.offset
    if page.after is not None:
        # where the last page ended, also when spans have arrived before it
        begin = next((index for index, at in enumerate(wanted, 1) if keys[at] == page.after), page.offset)
    shown = wanted[begin : begin + page.limit]
    if not shown:
        return SpanPage([], len(wanted), None)
    spans = whole_spans(tenant=tenant, trace=trace, span_ids=sorted({placed[at].span_id for at in shown}))
    by_key = dict(zip(_keys(spans), spans, strict=True))
    return SpanPage(
        spans=[
            SpanInTree(by_key[keys[at]], tree.depth[at], tree.self_time_ns[at]) for at in shown if keys[at] in by_key
        ],
        total=len(wanted),
        next=page.next(keys[shown[-1]]) if begin + page.limit < len(wanted) else None,
    )


def _keys(spans: Sequence[Placed]) -> list[Key]:
    """Return what tells each span apart: id and start, and its number among those that share both."""
    seen: Counter[tuple[str, int]] = Counter()
    keys = []
    for span in spans:
        seen[span.span_id, span.start_ns] += 1
        keys.append((span.span_id, span.start_ns, seen[span.span_id, span.start_ns]))
    return keys
