"""What a trace waited for: the critical path, walked back from the end of its root, without recursion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from analytics.tree import NO_PARENT, Places, Tree


class Stretch(NamedTuple):
    """A span by its position, and from when to when the trace waited for it itself, not for a child; nanoseconds."""

    at: int
    start_ns: int
    end_ns: int


@dataclass
class _Visit:
    """A span on the path: the part of its time that lies within its ancestors', and its children that are to come.

    These are (end, start, position), cut to that part, the last to be tried first.
    """

    at: int
    start_ns: int
    children: list[tuple[int, int, int]]


def critical_path(places: Places, tree: Tree) -> list[Stretch]:
    """Return the stretches of the critical path, the earliest first; nothing of a root that took no time.

    The walk begins at the end of the root. Of a span's children it takes the one that ended last by the moment that it
    has come to; what lies between is the span's own. From the child's start it goes on, until the span's. So the
    stretches follow one another without a gap, from the start of the root to its end.

    What a child did before its parent began or after it ended, as happens where clocks disagree or nobody waits for the
    child, is nothing that the parent waited for: it is cut off. Of several roots that one is walked which names the
    trace (`root_of`). Children that ended together: the one that ran longest.
    """
    if not len(places):
        return []
    root = root_of(places, tree)
    children = _children(tree)
    moment = places.end_ns[root]
    stretches: list[Stretch] = []
    waiting = [_visit(places, children, root, places.start_ns[root], moment)]
    while waiting:
        visit = waiting[-1]
        while visit.children and visit.children[-1][0] > moment:
            visit.children.pop()
        until = visit.children[-1][0] if visit.children else visit.start_ns
        if until < moment:
            stretches.append(Stretch(visit.at, until, moment))
            moment = until
        if visit.children:
            end_ns, start_ns, child = visit.children.pop()
            waiting.append(_visit(places, children, child, start_ns, end_ns))
        else:
            waiting.pop()
    return stretches[::-1]


def root_of(places: Places, tree: Tree) -> int:
    """Return the position of the root that names the trace: the earliest without a parent, else the earliest."""
    roots = (at for at, parent in enumerate(tree.parents) if parent is None)
    return min(roots, key=lambda at: (places.parent_ids[at] != NO_PARENT, places.start_ns[at], places.span_ids[at]))


def _children(tree: Tree) -> Mapping[int, Sequence[int]]:
    children: dict[int, list[int]] = {}
    for at, parent in enumerate(tree.parents):
        if parent is not None:
            children.setdefault(parent, []).append(at)
    return children


def _visit(places: Places, children: Mapping[int, Sequence[int]], at: int, start_ns: int, end_ns: int) -> _Visit:
    """Return the visit of a span of whose time only this part counts; children that have no time in it are left out."""
    parts = (
        (min(places.end_ns[child], end_ns), max(places.start_ns[child], start_ns), child)
        for child in children.get(at, ())
    )
    return _Visit(
        at,
        start_ns,
        # of those that end together the longest last, and of the same ones the first in the tree's own order
        sorted((part for part in parts if part[1] < part[0]), key=lambda part: (part[0], -part[1], -part[2])),
    )
