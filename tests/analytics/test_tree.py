"""Spans to a tree, whatever their parents say."""

import itertools
import json
import random
from dataclasses import dataclass

import pytest

from analytics.tree import Tree, arrange, render


@dataclass(frozen=True)
class Node:
    span_id: str
    parent_span_id: str | None = None
    start_ns: int = 0
    end_ns: int = 10


def shape(nodes: list[Node], tree: Tree) -> list[object]:
    """Return the tree as nested [id, children] lists, by way of its rendering."""

    def body(at: int) -> str:
        return json.dumps({"id": nodes[at].span_id, "depth": tree.depth[at]})

    def nested(spans: list[dict[str, object]]) -> list[object]:
        return [[span["id"], nested(span["children"])] for span in spans]  # type: ignore[arg-type]  # plain JSON

    return nested(json.loads("".join(render(tree, body))))


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
    assert shape(nodes, arrange(nodes)) == expected


def test_order_walks_the_tree_depth_first_and_depth_counts_ancestors() -> None:
    nodes = [Node("d", "a", 3), Node("c", "b", 2), Node("b", "a", 1), Node("a")]
    tree = arrange(nodes)
    assert [(nodes[at].span_id, tree.depth[at]) for at in tree.order] == [("a", 0), ("b", 1), ("c", 2), ("d", 1)]


@pytest.mark.parametrize("seed", range(20))
def test_no_span_is_lost_or_shown_twice_whatever_the_parents(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    ids = [f"{number:02}" for number in range(30)]
    nodes = [Node(chance.choice(ids), chance.choice([None, *ids]), chance.randrange(5), 10) for _ in range(200)]
    tree = arrange(nodes)
    assert sorted(tree.order) == list(range(len(nodes)))
    assert sorted(itertools.chain(tree.roots, *tree.children)) == list(range(len(nodes)))


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
    assert arrange(nodes).self_time_ns[0] == self_time_ns


def test_a_hundred_thousand_levels_are_arranged_and_rendered() -> None:
    nodes = [Node(str(number), str(number - 1) if number else None, number) for number in range(100_000)]
    tree = arrange(nodes)
    assert tree.depth == list(range(100_000))
    assert "".join(render(tree, lambda _at: '{"a":1}')) == "[" + '{"a":1,"children":[' * 100_000 + "]}" * 100_000 + "]"
