"""A trace's spans as a tree: who is whose child, in which order, and how long each ran alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.oracle.measures import covered
from tests.oracle.records import Span


@dataclass(eq=False)
class Node:
    span: Span
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.depth + 1

    @property
    def self_time_ns(self) -> int:
        """The part of its time in which no child of it ran."""
        start, end = self.span.start_ns, self.span.end_ns
        within = [(max(start, child.span.start_ns), min(end, child.span.end_ns)) for child in self.children]
        return end - start - covered([(a, b) for a, b in within if a < b])

    def walk(self) -> Iterator["Node"]:
        yield self
        for child in self.children:
            yield from child.walk()


def roots(spans: Sequence[Span]) -> list[Node]:
    """Return the roots, by start, then id.

    These are the spans without a parent, those whose parent is not here, and of spans that are their own ancestors the
    earliest.
    """
    nodes = [Node(span) for span in sorted(spans, key=lambda span: (span.start_ns, span.span_id))]
    for node in nodes:
        # of several spans with that id the earliest is the parent
        node.parent = next((other for other in nodes if other.span.span_id == node.span.parent_span_id), None)
    for node in nodes:
        if node in _ancestors(node):
            node.parent = None
    for node in nodes:
        if node.parent is not None:
            node.parent.children.append(node)
    return [node for node in nodes if node.parent is None]


def walk(spans: Sequence[Span]) -> Iterator[Node]:
    """Yield all spans depth first, parents before their children."""
    for root in roots(spans):
        yield from root.walk()


def _ancestors(node: Node) -> list[Node]:
    found: list[Node] = []
    while node.parent is not None and node.parent not in found:
        node = node.parent
        found.append(node)
    return found
