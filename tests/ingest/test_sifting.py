"""A batch taken apart, and the search for what is bad in it, with trials that cost nothing."""

from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given, strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from axonize.clickhouse.errors import ClickHouseError
from ingest.frames import Damaged, Enclosed, frames_of, is_cut_short, opened, spans_in, with_only
from ingest.intake import enclose
from ingest.sifting import Part, frames, sift
from tests.otlp import request, span


def span_names(body: bytes) -> list[str]:
    return [
        one.name
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope_spans in resource_spans.scope_spans
        for one in scope_spans.spans
    ]


def parts_of(*sizes: int) -> list[Part]:
    """Return requests of so many spans, named by their request and number."""
    parts = []
    for at, size in enumerate(sizes):
        body = request(*[span(f"{at}.{number}", trace_id=b"\1" * 16) for number in range(size)]).SerializeToString()
        parts.append(Part(at, "default", body, range(size), enclose(body, "default")[0]))
    return parts


def inside(batch: bytes) -> list[str]:
    whole, cut_short = frames_of(batch)
    assert not cut_short
    return [name for frame in whole for name in span_names(opened(frame).request)]


class Tried:
    """A trial that refuses what holds a bad span, and counts."""

    def __init__(self, fails: Callable[[set[str]], bool]) -> None:
        self.fails, self.count = fails, 0

    def __call__(self, batch: bytes) -> ClickHouseError | None:
        self.count += 1
        return ClickHouseError("bad", 1, "BAD") if self.fails(set(inside(batch))) else None


SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=6)


@given(SIZES, st.data())
def test_exactly_the_bad_spans_are_found(sizes: list[int], data: st.DataObject) -> None:
    parts = parts_of(*sizes)
    every = inside(frames(parts))
    bad = data.draw(st.sets(st.sampled_from(every)))
    good, refused = sift(parts, Tried(lambda names: bool(names & bad)))
    assert inside(frames(good)) == [name for name in every if name not in bad]
    assert {f"{part.position}.{n}" for group in refused for part in group.parts for n in part.numbers} == bad
    assert all(len(group.parts) == 1 and len(group.parts[0].numbers) == 1 for group in refused)


@given(SIZES, st.data(), st.integers(1, 12))
def test_whatever_the_number_of_trials_no_span_is_lost_and_none_is_kept_twice(
    sizes: list[int], data: st.DataObject, most: int
) -> None:
    parts = parts_of(*sizes)
    every = inside(frames(parts))
    bad = data.draw(st.sets(st.sampled_from(every)))
    tried = Tried(lambda names: bool(names & bad))
    good, refused = sift(parts, tried, most=most)
    set_aside = [f"{part.position}.{n}" for group in refused for part in group.parts for n in part.numbers]
    assert sorted(inside(frames(good)) + set_aside) == sorted(every)
    assert bad <= set(set_aside)
    assert tried.count <= most + 1


def test_spans_that_fail_only_together_are_parted_and_none_is_lost() -> None:
    parts = parts_of(4, 4)
    good, refused = sift(parts, Tried(lambda names: len(names) > 5))
    assert good
    assert len(inside(frames(good))) <= 5
    set_aside = [f"{part.position}.{n}" for group in refused for part in group.parts for n in part.numbers]
    assert sorted(inside(frames(good)) + set_aside) == sorted(inside(frames(parts)))


def test_one_bad_span_of_fifty_thousand_takes_few_trials() -> None:
    parts = parts_of(*[500] * 100)
    tried = Tried(lambda names: "77.123" in names)
    good, [refused] = sift(parts, tried)
    assert [f"{part.position}.{part.numbers[0]}" for part in refused.parts] == ["77.123"]
    assert len(inside(frames(good))) == 49_999
    assert tried.count <= 40


def test_a_request_of_some_spans_keeps_their_bytes_resource_scope_and_unknown_fields() -> None:
    whole = request(span("a"), span("b"), resource={"k": "v"})
    whole.MergeFrom(request(span("c"), resource={"other": 1}))
    whole.resource_spans[0].schema_url = "https://example.test/schema"
    body = whole.SerializeToString()
    assert spans_in(body) == 3
    kept = ExportTraceServiceRequest.FromString(with_only(body, {1}))
    assert len(kept.resource_spans) == 1
    assert kept.resource_spans[0].resource == whole.resource_spans[0].resource
    assert kept.resource_spans[0].schema_url == "https://example.test/schema"
    assert kept.resource_spans[0].scope_spans[0].scope == whole.resource_spans[0].scope_spans[0].scope
    assert list(kept.resource_spans[0].scope_spans[0].spans) == [whole.resource_spans[0].scope_spans[0].spans[1]]
    assert span_names(with_only(body, {0, 2})) == ["a", "c"]


@given(st.lists(st.binary(max_size=50), max_size=5), st.binary(max_size=30))
def test_a_batch_is_cut_at_its_frames(contents: list[bytes], rest: bytes) -> None:
    whole = [zstd.compress(content) for content in contents]
    found, cut_short = frames_of(b"".join(whole) + b"\0" + rest)  # no frame begins with a zero
    assert found == whole
    assert cut_short == b"\0" + rest
    assert is_cut_short(b"".join(whole) + b"\0" + rest)
    assert not is_cut_short(b"".join(whole))


def test_a_frame_gives_back_what_was_enclosed() -> None:
    body = request(span()).SerializeToString()
    assert opened(enclose(body, "vision-lab")[0]) == Enclosed("vision-lab", body, 1)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_a_frame(message: bytes) -> None:
    for frame in (message, zstd.compress(message)):
        try:
            opened(frame)
        except Damaged:
            continue


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_frame_that_is_cut_short_is_damaged(cut: int) -> None:
    with pytest.raises(Damaged):
        opened(enclose(request(span()).SerializeToString(), "default")[0][:-cut])
