"""Flat spans to a tree, without recursion: a trace may be thousands of levels deep."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class Placed(Protocol):
    """What the tree needs to know of a span. Ids are hex texts, a root's parent is None; times in nanoseconds."""

    @property
    def span_id(self) -> str: ...
    @property
    def parent_span_id(self) -> str | None: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...


@dataclass(frozen=True)
class Tree:
    """Spans by their position in the sequence that was arranged; `order` walks it depth first, parents first."""

    roots: list[int]
    children: list[list[int]]
    depth: list[int]
    self_time_ns: list[int]
    order: list[int]


def arrange(spans: Sequence[Placed]) -> Tree:
    """Return the tree of a trace's spans, none lost and none twice.

    A span whose parent is not among them is a root. Of several spans with one id the earliest has the children. Where
    spans are their own ancestors, the earliest of the circle is a root. Siblings are sorted by start, then span id.
    """
    by_time = sorted(range(len(spans)), key=lambda at: (spans[at].start_ns, spans[at].span_id))
    parents = _parents(spans, by_time)
    roots: list[int] = []
    children: list[list[int]] = [[] for _ in spans]
    for at in by_time:
        parent = parents[at]
        (roots if parent is None else children[parent]).append(at)
    depth = [0] * len(spans)
    order: list[int] = []
    waiting = roots[::-1]
    while waiting:
        at = waiting.pop()
        order.append(at)
        for child in children[at]:
            depth[child] = depth[at] + 1
        waiting.extend(reversed(children[at]))
    self_time_ns = [_self_time_ns(span, [spans[child] for child in children[at]]) for at, span in enumerate(spans)]
    return Tree(roots, children, depth, self_time_ns, order)


def render(tree: Tree, body: Callable[[int], str]) -> Iterator[str]:
    """Yield the JSON array of the roots, each object with its `children`, piece by piece.

    `body(position)` is the JSON object of one span, not empty and without `children`. json.dumps itself recurses, and
    gives up below a thousand levels.
    """
    yield "["
    # A position opens a span, a text is written as it stands.
    waiting: list[int | str] = ["]", *_separated(tree.roots)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
            continue
        yield f'{body(item)[:-1]},"children":['
        waiting += ["]}", *_separated(tree.children[item])]


def _separated(positions: Sequence[int]) -> Iterator[int | str]:
    """Yield the positions last first, as a stack wants them, with commas between."""
    for index, position in enumerate(reversed(positions)):
        if index:
            yield ","
        yield position


def _parents(spans: Sequence[Placed], by_time: Sequence[int]) -> list[int | None]:
    """Return each span's parent, None for a root, with every circle cut at its earliest span."""
    first_by_id: dict[str, int] = {}
    for at in by_time:
        first_by_id.setdefault(spans[at].span_id, at)
    parents = [None if (parent := span.parent_span_id) is None else first_by_id.get(parent) for span in spans]
    rank = {at: index for index, at in enumerate(by_time)}
    settled: set[int] = set()
    for start in by_time:
        path: dict[int, None] = {}
        here: int | None = start
        while here is not None and here not in settled and here not in path:
            path[here] = None
            here = parents[here]
        if here is not None and here in path:
            walked = list(path)
            parents[min(walked[walked.index(here) :], key=rank.__getitem__)] = None
        settled.update(path)
    return parents


def _self_time_ns(span: Placed, children: Sequence[Placed]) -> int:
    """Return the part of the span's time in which none of its children (by start) ran."""
    covered, until = 0, span.start_ns
    for child in children:
        start, end = max(child.start_ns, until), min(child.end_ns, span.end_ns)
        if end > start:
            covered += end - start
            until = end
    return span.end_ns - span.start_ns - covered
