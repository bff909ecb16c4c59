"""Flat spans to a tree, without recursion: a trace may be thousands of levels deep."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

NO_PARENT: Final = b'"' + b"0" * 16 + b'"'
"""The JSON text of the parent's id of a span that has none."""


@dataclass
class Places:
    """Where spans stand, column by column. A parent that is no span's id makes a root; times in nanoseconds."""

    span_ids: list[bytes] = field(default_factory=list)
    parent_ids: list[bytes] = field(default_factory=list)
    start_ns: list[int] = field(default_factory=list)
    end_ns: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.span_ids)

    def extend(self, others: "Places") -> None:
        self.span_ids += others.span_ids
        self.parent_ids += others.parent_ids
        self.start_ns += others.start_ns
        self.end_ns += others.end_ns


@dataclass(frozen=True)
class Tree:
    """Spans by their position in the sequence that was arranged; `order` walks it depth first, parents first.

    `parents` has the position of each one's parent, None of a root.
    """

    depth: list[int]
    self_time_ns: list[int]
    order: list[int]
    parents: list[int | None]


def arrange(places: Places) -> Tree:
    """Return the tree of a trace's spans, none lost and none twice.

    A span whose parent is not among them is a root. Of several spans with one id the earliest has the children. Where
    spans are their own ancestors, the earliest of the circle is a root. Siblings are sorted by start, span id, and end.
    """
    times = list(zip(places.start_ns, places.span_ids, places.end_ns, strict=True))
    by_time = sorted(range(len(times)), key=times.__getitem__)
    parents = _parents(places, by_time)
    children = _children(parents, by_time)
    depth, order = _walk(parents, children, by_time)
    if len(order) < len(places):
        _cut_circles(parents, by_time)
        children = _children(parents, by_time)
        depth, order = _walk(parents, children, by_time)
    return Tree(depth, _self_time_ns(places, children), order, parents)


def nested(tree: Tree, members: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the JSON array of the roots, each object with its `children`, piece by piece.

    `members` are the members of each span's JSON object, not empty and without `children`. json.dumps itself recurses,
    and gives up below a thousand levels.
    """
    yield b"["
    previous = -1
    for at in tree.order:
        depth = tree.depth[at]
        if previous >= 0:
            # a child follows its parent's "[", anything else whatever ended before it
            yield b"" if depth > previous else b"]}" * (previous - depth + 1) + b","
        yield b"{"
        yield members[at]
        yield b',"children":['
        previous = depth
    yield b"]}" * (previous + 1)
    yield b"]"


def _parents(places: Places, by_time: Sequence[int]) -> list[int | None]:
    """Return each span's parent as it says, None for a root."""
    first_by_id = {places.span_ids[at]: at for at in reversed(by_time)}
    return [first_by_id.get(parent_id) for parent_id in places.parent_ids]


def _children(parents: Sequence[int | None], by_time: Iterable[int]) -> dict[int | None, list[int]]:
    """Return the children by their parent's position, the roots by None, each by time."""
    children: dict[int | None, list[int]] = {}
    for at in by_time:
        children.setdefault(parents[at], []).append(at)
    return children


def _walk(
    parents: Sequence[int | None], children: dict[int | None, list[int]], by_time: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return the depth of each span that hangs from a root, and all those depth first, parents first."""
    depth = [0] * len(by_time)
    order: list[int] = []
    waiting = children.get(None, [])[::-1]
    while waiting:
        at = waiting.pop()
        order.append(at)
        parent = parents[at]
        if parent is not None:
            depth[at] = depth[parent] + 1
        if at in children:
            waiting += children[at][::-1]
    return depth, order


def _cut_circles(parents: list[int | None], by_time: Sequence[int]) -> None:
    """Make the earliest span of every circle a root."""
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


def _self_time_ns(places: Places, children: dict[int | None, list[int]]) -> list[int]:
    """Return the part of each span's time in which none of its children (by start) ran."""
    starts, ends = places.start_ns, places.end_ns
    self_time_ns = [end - start for start, end in zip(starts, ends, strict=True)]
    for parent, below in children.items():
        if parent is None:
            continue
        until, end_of_parent = starts[parent], ends[parent]
        for child in below:
            start, end = max(starts[child], until), min(ends[child], end_of_parent)
            if end > start:
                self_time_ns[parent] -= end - start
                until = end
    return self_time_ns
