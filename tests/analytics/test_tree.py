"""Spans to a tree, whatever their parents say."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from analytics.tree import Places, Tree, arrange, nested


@dataclass(frozen=True)
class Node:
    span_id: str
    parent_span_id: str | None = None
    start_ns: int = 0
    end_ns: int = 10


def places(nodes: list[Node]) -> Places:
    return Places(
        span_ids=[node.span_id.encode() for node in nodes],
        parent_ids=[(node.parent_span_id or "").encode() for node in nodes],
        start_ns=[node.start_ns for node in nodes],
        end_ns=[node.end_ns for node in nodes],
    )


def shape(nodes: list[Node], tree: Tree) -> list[Any]:
    """Return the tree as nested [id, children] lists, by way of its JSON."""
    members = [b'"id":"%b","depth":%d' % (node.span_id.encode(), tree.depth[at]) for at, node in enumerate(nodes)]

    def lists(spans: list[dict[str, Any]]) -> list[Any]:
        return [[span["id"], lists(span["children"])] for span in spans]

    return lists(json.loads(b"".join(nested(tree, members))))


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param([], [], id="no span"),
        pytest.param([Node("a")], [["a", []]], id="a root alone"),
        pytest.param(
            [Node("c", "a", 2), Node("b", "a", 1), Node("a")], [["a", [["b", []], ["c", []]]]], id="children by start"
        ),
        pytest.param(
            [Node("c", "a", 1), Node("b", "a", 1), Node("a")], [["a", [["b", []], ["c", []]]]], id="then by span id"
        ),
        pytest.param([Node("b", "gone", 1), Node("a", None, 2)], [["b", []], ["a", []]], id="an orphan is a root"),
        pytest.param([Node("a", "b", 5), Node("b", None, 9)], [["b", [["a", []]]]], id="a child before its parent"),
        pytest.param([Node("a", "a")], [["a", []]], id="its own parent"),
        pytest.param(
            [Node("b", "c", 2), Node("a", "b", 1), Node("c", "a", 3)],
            [["a", [["c", [["b", []]]]]]],
            id="a circle is cut at its earliest",
        ),
        pytest.param(
            [Node("x", "b", 0), Node("a", "b", 1), Node("b", "a", 2)],
            [["a", [["b", [["x", []]]]]]],
            id="below a circle stays below it",
        ),
        pytest.param(
            [Node("a", None, 2), Node("a", None, 1), Node("b", "a", 3)],
            [["a", [["b", []]]], ["a", []]],
            id="of two with one id the earliest has the children",
        ),
        pytest.param([Node("a", None, 1), Node("a", "a", 2)], [["a", [["a", []]]]], id="its own parent's id, twice"),
    ],
)
def test_spans_become_a_tree(nodes: list[Node], expected: list[object]) -> None:
    assert shape(nodes, arrange(places(nodes))) == expected


def test_order_walks_the_tree_depth_first_and_depth_counts_ancestors() -> None:
    nodes = [Node("d", "a", 3), Node("c", "b", 2), Node("b", "a", 1), Node("a")]
    tree = arrange(places(nodes))
    assert [(nodes[at].span_id, tree.depth[at]) for at in tree.order] == [("a", 0), ("b", 1), ("c", 2), ("d", 1)]


def flatten(shape: list[Any]) -> Iterator[str]:
    """Yield the ids of nested [id, children] lists."""
    for own, children in shape:
        yield own
        yield from flatten(children)


@pytest.mark.parametrize("seed", range(20))
def test_no_span_is_lost_or_shown_twice_whatever_the_parents(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    ids = [f"{number:02}" for number in range(30)]
    nodes = [Node(chance.choice(ids), chance.choice([None, *ids]), chance.randrange(5), 10) for _ in range(200)]
    tree = arrange(places(nodes))
    assert sorted(tree.order) == list(range(len(nodes)))
    assert len(list(flatten(shape(nodes, tree)))) == len(nodes)


@pytest.mark.parametrize(
    ("children", "self_time_ns"),
    [
        ([], 100),
        ([(0, 100)], 0),
        ([(10, 20), (50, 60)], 80),
        ([(10, 30), (20, 40)], 70),
        ([(10, 60), (20, 30), (55, 70)], 40),
        ([(-50, 10), (90, 500)], 80),
        ([(-50, -10), (100, 500), (200, 300)], 100),
        ([(50, 50)], 100),
    ],
)
def test_self_time_is_what_no_child_covers(children: list[tuple[int, int]], self_time_ns: int) -> None:
    parent = Node("parent", None, 0, 100)
    nodes = [parent, *(Node(f"{number}", "parent", start, end) for number, (start, end) in enumerate(children))]
    assert arrange(places(nodes)).self_time_ns[0] == self_time_ns


def test_a_hundred_thousand_levels_are_arranged_and_nested() -> None:
    nodes = [Node(str(number + 1), str(number) if number else None, number) for number in range(100_000)]
    tree = arrange(places(nodes))
    assert tree.depth == list(range(100_000))
    text = b"".join(nested(tree, [b'"a":1'] * 100_000))
    assert text == b"[" + b'{"a":1,"children":[' * 100_000 + b"]}" * 100_000 + b"]"
