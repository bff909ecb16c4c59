"""The critical path: what a trace waited for, whatever its spans say of one another."""

import sys

from hypothesis import given, strategies as st

from analytics.critical_path import critical_path, root_of
from analytics.tree import NO_PARENT, Places, Tree, arrange

Span = tuple[str, str, int, int]


def text(span_id: str) -> bytes:
    return b'"%b"' % span_id.encode().rjust(16, b"0") if span_id else NO_PARENT


def places(*spans: Span) -> Places:
    """Return where spans stand of (id, parent's id or "", start, end)."""
    ids, parents, starts, ends = zip(*spans, strict=True)
    return Places([text(one) for one in ids], [text(one) for one in parents], list(starts), list(ends))


def path(*spans: Span) -> list[tuple[str, int, int]]:
    """Return the stretches, each with its span's id."""
    at = places(*spans)
    return [(spans[one.at][0], one.start_ns, one.end_ns) for one in critical_path(at, arrange(at))]


def test_a_span_without_children_is_its_own_path() -> None:
    assert path(("a", "", 10, 50)) == [("a", 10, 50)]


def test_a_trace_of_no_time_has_no_path() -> None:
    assert path(("a", "", 10, 10), ("b", "a", 10, 10)) == []
    assert critical_path(Places(), arrange(Places())) == []


def test_the_path_goes_through_the_children_and_back_to_the_parent_between_them() -> None:
    assert path(("root", "", 0, 100), ("b", "root", 10, 30), ("c", "root", 40, 90), ("d", "c", 50, 80)) == [
        ("root", 0, 10),
        ("b", 10, 30),
        ("root", 30, 40),
        ("c", 40, 50),
        ("d", 50, 80),
        ("c", 80, 90),
        ("root", 90, 100),
    ]


def test_of_children_that_ran_together_the_one_that_ended_last_counts() -> None:
    assert path(("root", "", 0, 100), ("short", "root", 10, 40), ("long", "root", 20, 90)) == [
        ("root", 0, 20),
        ("long", 20, 90),
        ("root", 90, 100),
    ]


def test_of_children_that_ended_together_the_longest_counts() -> None:
    spans: tuple[Span, ...] = (("root", "", 0, 100), ("short", "root", 60, 90), ("long", "root", 20, 90))
    assert path(*spans) == path(*reversed(spans)) == [("root", 0, 20), ("long", 20, 90), ("root", 90, 100)]


def test_what_a_child_did_outside_its_parents_time_is_cut_off() -> None:
    late, early, apart = ("late", "root", 80, 500), ("early", "root", -50, 20), ("apart", "root", 200, 300)
    assert path(("root", "", 0, 100), late, early, apart) == [("early", 0, 20), ("root", 20, 80), ("late", 80, 100)]


def test_a_grandchild_is_cut_to_what_counts_of_its_parent() -> None:
    assert path(("root", "", 0, 100), ("child", "root", 50, 300), ("grandchild", "child", 40, 200)) == [
        ("root", 0, 50),
        ("grandchild", 50, 100),
    ]


def test_of_several_roots_the_one_that_names_the_trace_counts() -> None:
    orphan, root, second = ("orphan", "lost", 0, 900), ("root", "", 10, 100), ("second", "", 20, 800)
    assert path(orphan, second, root) == [("root", 10, 100)]
    assert path(orphan, ("other", "lost", 5, 7)) == [("orphan", 0, 900)]


def test_spans_that_are_their_own_ancestors_have_a_path_too() -> None:
    assert path(("a", "b", 0, 100), ("b", "a", 10, 90)) == [("a", 0, 10), ("b", 10, 90), ("a", 90, 100)]


def test_five_thousand_levels_need_no_recursion() -> None:
    levels = 5_000
    spans: list[Span] = [(str(n), str(n - 1) if n else "", n, 3 * levels - n) for n in range(levels)]
    assert levels > sys.getrecursionlimit()
    found = path(*spans)
    assert len(found) == 2 * levels - 1
    assert found[levels - 1] == (str(levels - 1), levels - 1, 2 * levels + 1)


moments = st.integers(0, 60)
traces = (
    st.integers(1, 25)
    .flatmap(
        lambda count: st.lists(st.tuples(st.integers(-2, count - 1), moments, moments), min_size=count, max_size=count)
    )
    .map(
        lambda rows: [
            (f"{number:x}", "" if parent == -1 else "dead" if parent == -2 else f"{parent:x}", min(a, b), max(a, b))
            for number, (parent, a, b) in enumerate(rows)
        ]
    )
)


@given(spans=traces)
def test_the_stretches_are_the_roots_time_without_gap_or_overlap(spans: list[Span]) -> None:
    at = places(*spans)
    tree = arrange(at)
    root = root_of(at, tree)
    found = critical_path(at, tree)
    moment = at.start_ns[root]
    for stretch in found:
        assert stretch.start_ns == moment < stretch.end_ns
        assert at.start_ns[stretch.at] <= stretch.start_ns
        assert stretch.end_ns <= at.end_ns[stretch.at]
        assert root in ancestors(tree, stretch.at)
        moment = stretch.end_ns
    assert moment == at.end_ns[root]


@given(spans=traces)
def test_the_path_is_the_one_that_the_definition_gives(spans: list[Span]) -> None:
    at = places(*spans)
    tree = arrange(at)
    root = root_of(at, tree)
    assert [tuple(one) for one in critical_path(at, tree)] == by_definition(
        at, tree, root, at.start_ns[root], at.end_ns[root]
    )


def ancestors(tree: Tree, at: int) -> set[int]:
    """Return the span and all above it."""
    found: set[int] = set()
    here: int | None = at
    while here is not None:
        found.add(here)
        here = tree.parents[here]
    return found


def by_definition(at: Places, tree: Tree, span: int, start: int, end: int) -> list[tuple[int, int, int]]:
    """Walk back from the end, looking at all children each time; recursive, for small traces."""
    cut = [
        (min(at.end_ns[child], end), max(at.start_ns[child], start), child)
        for child, parent in enumerate(tree.parents)
        if parent == span
    ]
    moment, found, done = end, [], set[int]()
    while True:
        fitting = [one for one in cut if one[1] < one[0] <= moment and one[2] not in done]
        if not fitting:
            break
        last, begin, child = max(fitting, key=lambda one: (one[0], -one[1], -one[2]))
        done.add(child)
        if last < moment:
            found.append((span, last, moment))
        found += by_definition(at, tree, child, begin, last)[::-1]
        moment = begin
    if start < moment:
        found.append((span, start, moment))
    return found[::-1]
