"""Strategies: whole OTLP requests, valid all of them, and as odd as the specification allows.

Hypothesis draws the material (texts, keys, values, events, links) and a dice that deals it to many spans, so that one
example checks dozens of spans and still shrinks to the one value that matters.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from ingest.intake import MAX_FUTURE_NS, NANOSECONDS_A_DAY
from tests.fuzz.conventions import COLUMNS, GPU_FIELDS, RESOURCE_COLUMNS
from tests.otlp import SECOND_NS

Dealt = TypeVar("Dealt")

RARELY = 0.3

RETENTION_DAYS = 30
# What the clock may move between the drawing of an example and its end.
MARGIN_NS = 600 * SECOND_NS
MAX_UINT32 = 2**32 - 1
MAX_UINT64 = 2**64 - 1

NUMERALS = (
    *("0", "-0", "+5", "00012", "1.", ".5", "-.5", "1e5", "1E+5", "0.1", "1.5", "5e-324", "1e-400", "1e400", "0e99999"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "9007199254740993", "1" * 400),
    *(
        "",
        " 1",
        "1 ",
        "0x1F",
        "1_000",
        "1,5",
        ".",
        "1e",
        "--1",
        "nan",
        "inf",
        "-Infinity",
        "true",
        "null",
        "1\0",
        "\uff11",
    ),
)
DURATIONS = ("1.2ms", "3.4µs", "3.4μs", "3.4us", "1.5s", "850ns", "0ns", ".5s", "1.2.3s", "s", "1e3ms", "9" * 400 + "s")
USUAL_VALUES = (
    *(AnyValue(string_value=text) for text in ("llama", "GPU-1", *NUMERALS, *DURATIONS)),
    *(AnyValue(int_value=number) for number in (0, 1, 512, 2**53 + 1, 2**63 - 1, -(2**63))),
    *(AnyValue(double_value=number) for number in (0.0, 0.25, -0.0, 1e-13, 1e25, 1e306, -(2.0**63), float("nan"))),
)
ODD_TEXTS = (
    *(
        "",
        "\0",
        "a\0b",
        "\ufffd",
        "\ufeff",
        "🚀",
        "é",
        "e\u0301",
        "\u202e",
        "\\",
        "'",
        '"',
        "{x:String}",
        "%s",
        "\n",
        "\t",
    ),
    *("x" * 5000, "[1]", "{}", "'; DROP TABLE spans", "default", "llm_request"),
)
SPAN_KEYS = tuple(key for keys in COLUMNS.values() for key, _ in keys if key)
RESOURCE_KEYS = tuple(key for keys in RESOURCE_COLUMNS.values() for key in keys)
GPU_KEYS = tuple(f"gpu.{number}.{field}" for number in ("0", "1", "2", "10", "99", "100") for field in GPU_FIELDS)
ODD_GPU_KEYS = (
    *("gpu.0.unknown", "gpu.0.", "gpu.0", "gpu..model", "gpu.-1.model", "gpu.10000.model", "gpu.0.model.x"),
    *("xgpu.0.model", "GPU.0.model", "gpu.0.Model", "gpu.0.model\n", "gpu.0x.model", "gpu.1e1.model", "gpu.٣.model"),
)


@dataclass(frozen=True)
class Material:
    """What the dice deals from."""

    texts: list[str]
    keys: list[str]
    values: list[AnyValue]
    times: list[tuple[int, int]]


texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=20))
integers = st.one_of(
    st.sampled_from((0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63))), st.integers(-(2**63), 2**63 - 1)
)
doubles = st.one_of(st.sampled_from((0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e306, 2.0**63)), st.floats())
scalars = st.one_of(
    st.builds(lambda text: AnyValue(string_value=text), st.one_of(texts, st.sampled_from((*NUMERALS, *DURATIONS)))),
    st.builds(lambda number: AnyValue(int_value=number), integers),
    st.builds(lambda number: AnyValue(double_value=number), doubles),
    st.builds(lambda truth: AnyValue(bool_value=truth), st.booleans()),
    st.builds(lambda body: AnyValue(bytes_value=body), st.binary(max_size=20)),
    st.builds(AnyValue),
)
values: st.SearchStrategy[AnyValue] = st.deferred(lambda: st.one_of(scalars, scalars, arrays, maps))
arrays: st.SearchStrategy[AnyValue] = st.builds(
    lambda items: AnyValue(array_value=ArrayValue(values=items)), st.lists(values, max_size=3)
)
maps: st.SearchStrategy[AnyValue] = st.builds(
    lambda pairs: AnyValue(
        kvlist_value=KeyValueList(values=[KeyValue(key=key, value=value) for key, value in pairs.items()])
    ),
    st.dictionaries(texts, values, max_size=3),
)
keys = st.one_of(st.sampled_from((*SPAN_KEYS, *GPU_KEYS)), st.sampled_from(ODD_GPU_KEYS), texts)


EARLIEST_NS = -RETENTION_DAYS * NANOSECONDS_A_DAY + MARGIN_NS
LATEST_NS = MAX_FUTURE_NS - MARGIN_NS
# Start and end from now, within what the intake takes, its edges included.
times = st.builds(
    lambda start, length: (start, min(start + length, LATEST_NS)),
    st.one_of(st.sampled_from((EARLIEST_NS, 0, LATEST_NS)), st.integers(EARLIEST_NS, LATEST_NS)),
    st.one_of(st.sampled_from((0, 1, 999_999, SECOND_NS)), st.integers(0, LATEST_NS - EARLIEST_NS)),
)
materials = st.builds(
    Material,
    texts=st.lists(texts, min_size=1, max_size=8),
    keys=st.lists(keys, min_size=1, max_size=12),
    values=st.lists(values, min_size=4, max_size=16),
    times=st.lists(times, min_size=1, max_size=4),
)


def deal(material: Material, dice: random.Random, *, trace_id: bytes, spans: int) -> ExportTraceServiceRequest:
    """Return a valid request of one trace with this many spans, made of the material."""
    request = ExportTraceServiceRequest()
    now_ns = time.time_ns()
    ids = [dice.randbytes(7) + b"\1" for _ in range(spans)]
    waiting = list(ids)
    while waiting:
        scope_spans = []
        for _ in range(dice.randint(0, 3)):
            mine = [waiting.pop() for _ in range(min(len(waiting), dice.randint(0, 20)))]
            scope_spans.append(
                ScopeSpans(
                    scope=_scope(material, dice),
                    spans=[
                        _span(material, dice, now_ns=now_ns, trace_id=trace_id, span_id=one, ids=ids) for one in mine
                    ],
                    schema_url=_rarely(dice, lambda: dice.choice(material.texts), ""),
                )
            )
        resource = Resource(
            attributes=_attributes(material, dice, mapped=RESOURCE_KEYS), dropped_attributes_count=_count(dice)
        )
        request.resource_spans.append(ResourceSpans(resource=resource, scope_spans=scope_spans))
        if dice.random() < 0.1:
            request.resource_spans[-1].ClearField("resource")
    return request


def _scope(material: Material, dice: random.Random) -> InstrumentationScope:
    return InstrumentationScope(
        name=dice.choice(material.texts),
        version=dice.choice(material.texts),
        attributes=_attributes(material, dice) if dice.random() < RARELY else [],
    )


def _span(
    material: Material, dice: random.Random, *, now_ns: int, trace_id: bytes, span_id: bytes, ids: list[bytes]
) -> Span:
    start_ns, end_ns = (now_ns + offset_ns for offset_ns in dice.choice(material.times))
    parents = (b"", bytes(8), dice.choice(ids), dice.randbytes(8), span_id)
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=dice.choice(parents),
        trace_state=_rarely(dice, lambda: dice.choice(material.texts), ""),
        flags=_rarely(dice, lambda: dice.choice((1, 0x100, MAX_UINT32)), 0),
        name=dice.choice(material.texts),
        kind=dice.randrange(6),  # type: ignore[arg-type]  # the stubs want the enum's own type
        start_time_unix_nano=start_ns,
        end_time_unix_nano=end_ns,
        attributes=_attributes(material, dice, mapped=SPAN_KEYS, most=16),
        dropped_attributes_count=_count(dice),
        events=[
            Span.Event(
                time_unix_nano=dice.choice((0, start_ns, 2**63 - 1, 2**63, MAX_UINT64)),
                name=dice.choice(material.texts),
                attributes=_attributes(material, dice),
                dropped_attributes_count=_count(dice),
            )
            for _ in range(_rarely(dice, lambda: dice.randrange(4), 0))
        ],
        dropped_events_count=_count(dice),
        links=[
            Span.Link(
                trace_id=dice.choice((b"", bytes(16), dice.randbytes(16), dice.randbytes(3))),
                span_id=dice.choice((b"", bytes(8), dice.randbytes(8), dice.randbytes(30))),
                trace_state=dice.choice(material.texts),
                attributes=_attributes(material, dice),
                dropped_attributes_count=_count(dice),
                flags=dice.choice((0, 1, MAX_UINT32)),
            )
            for _ in range(_rarely(dice, lambda: dice.randrange(4), 0))
        ],
        dropped_links_count=_count(dice),
        status=Status(code=dice.randrange(3), message=dice.choice(material.texts)),  # type: ignore[arg-type]  # as above
    )


def _attributes(
    material: Material, dice: random.Random, *, mapped: Sequence[str] = (), most: int = 4
) -> list[KeyValue]:
    """Return attributes in any order, up to `most` of each: of the material, of `mapped`, and of GPUs beside them.

    A key stands there twice now and then, which OTLP forbids and clients do.
    """
    chosen = dice.choices(material.keys, k=dice.randrange(most))
    if mapped:
        chosen += dice.choices(mapped, k=dice.randrange(most)) + dice.choices(GPU_KEYS, k=dice.choice((0, 1, most)))
    dice.shuffle(chosen)
    if dice.random() < 0.8:
        chosen = list(dict.fromkeys(chosen))
    pairs = [KeyValue(key=key, value=dice.choice(material.values)) for key in chosen]
    for pair in pairs:
        if dice.random() < 0.05:
            pair.ClearField("value")
        elif dice.random() < 0.3:
            pair.value.CopyFrom(dice.choice(USUAL_VALUES))
    return pairs


def _count(dice: random.Random) -> int:
    return _rarely(dice, lambda: dice.choice((1, MAX_UINT32)), 0)


def _rarely(dice: random.Random, what: Callable[[], Dealt], otherwise: Dealt) -> Dealt:
    return what() if dice.random() < RARELY else otherwise
