"""GET /traces: each filter alone, and what "one span satisfies all" means."""

import json
import os
import time
from collections.abc import Callable, Mapping

import pytest
from clickhouse_connect.driver import Client as ClickHouse

from analytics.times import format_time
from tests.analytics.conftest import Get, register
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, OK, SECOND_NS, gpu, request, span

NOW = time.time_ns()
START = NOW - 600 * SECOND_NS

Found = Callable[..., set[str]]


@pytest.fixture
def found(get: Get) -> Found:
    """Return the root names of the traces that the filters choose."""

    def ask(parameters: Mapping[str, object] | None = None, **more: object) -> set[str]:
        answer = get("/traces", parameters, **more)
        names = {trace["root_span_name"] for trace in answer["traces"]}
        assert answer["total"] == len(answer["traces"]) == len(names)
        return names

    return ask


@pytest.fixture
def two(ingest: Ingest) -> None:
    """Store a trace of two spans that share nothing, and one that has nothing."""
    trace, root = os.urandom(16), os.urandom(8)
    ingest(
        request(
            span("chat", trace_id=trace, span_id=root, attributes={"gen_ai.request.model": "small", "tier": "gold"}),
            resource={"service.name": "gateway", "deployment.environment.name": "prod", "zone": "a"},
        ),
        request(
            span(
                "generate",
                trace_id=trace,
                parent_span_id=root,
                attributes={
                    "gen_ai.request.model": "large",
                    "tier": "silver",
                    **gpu(0, resource_uuid="MIG-1", physical_uuid="GPU-1", node_id="node-1"),
                    **gpu(2, resource_uuid="MIG-2", physical_uuid="GPU-2", node_id="node-2"),
                },
            ),
            resource={"service.name": "engine", "deployment.environment.name": "lab", "zone": "b"},
        ),
        request(span("plain"), resource={}),
    )


ONE_SPAN_HAS = [
    {"service_name": "gateway"},
    {"service_name": "engine"},
    {"environment": "prod"},
    {"name": "generate"},
    {"model_name": "large"},
    {"resource_uuid": "MIG-2"},
    {"physical_uuid": "GPU-2"},
    {"node_id": "node-1"},
    {"attr.tier": "silver"},
    {"attr.zone": "a"},
    {"service_name": "engine", "name": "generate", "model_name": "large", "environment": "lab", "attr.tier": "silver"},
    {
        "service_name": "engine",
        "resource_uuid": "MIG-1",
        "physical_uuid": "GPU-1",
        "node_id": "node-1",
        "attr.zone": "b",
    },
]


@pytest.mark.usefixtures("two")
def test_a_trace_with_such_a_span_is_found(found: Found, subtests: pytest.Subtests) -> None:
    for parameters in ONE_SPAN_HAS:
        with subtests.test(parameters=parameters):
            assert found(parameters) == {"chat"}


NO_SPAN_HAS = [
    {"service_name": "nobody"},
    {"service_name": "gate"},
    {"model_name": "LARGE"},
    {"resource_uuid": "GPU-1"},
    {"service_name": "gateway", "model_name": "large"},
    {"environment": "prod", "node_id": "node-1"},
    {"name": "chat", "attr.tier": "silver"},
    {"attr.tier": "gold", "attr.zone": "b"},
    {"model_name": "large", "attr.zone": "a"},
]


@pytest.mark.usefixtures("two")
def test_no_trace_is_found_where_no_one_span_satisfies_all(found: Found, subtests: pytest.Subtests) -> None:
    for parameters in NO_SPAN_HAS:
        with subtests.test(parameters=parameters):
            assert found(parameters) == set()


@pytest.mark.usefixtures("two")
def test_unnamed_services_are_found_as_otel_calls_them(found: Found) -> None:
    assert found(service_name="unknown_service") == {"plain"}


@pytest.mark.usefixtures("two")
def test_the_summary_is_of_the_whole_trace_whatever_span_was_looked_for(get: Get) -> None:
    (summary,) = get("/traces", model_name="large")["traces"]
    assert (summary["span_count"], summary["models"], summary["service_name"]) == (2, ["large", "small"], "gateway")


def test_status_is_the_whole_traces(ingest: Ingest, get: Get) -> None:
    failed, root = os.urandom(16), os.urandom(8)
    ingest(
        request(
            span("ok", status=OK),
            span("unset"),
            span("error", status=ERROR),
            span("child failed", trace_id=failed, span_id=root, status=OK),
            span("child", trace_id=failed, parent_span_id=root, status=ERROR),
        )
    )
    for status, names in (("ok", {"ok"}), ("unset", {"unset"}), ("error", {"error", "child failed"})):
        traces = get("/traces", {"status": status})["traces"]
        assert {trace["root_span_name"] for trace in traces} == names
        assert {trace["status"] for trace in traces} == {status}


def test_durations_are_of_the_whole_trace_bounds_included(
    ingest: Ingest, found: Found, subtests: pytest.Subtests
) -> None:
    pair = os.urandom(16)
    ingest(
        request(
            span("10", start_ns=START, duration_ns=10 * MILLISECOND_NS),
            span("10+", start_ns=START, duration_ns=10 * MILLISECOND_NS + 1),
            span("20", trace_id=pair, start_ns=START, duration_ns=5 * MILLISECOND_NS),
            span("later", trace_id=pair, start_ns=START + 15 * MILLISECOND_NS, duration_ns=5 * MILLISECOND_NS),
        )
    )
    table: list[tuple[dict[str, object], set[str]]] = [
        ({"min_duration_ms": 10}, {"10", "10+", "20"}),
        ({"min_duration_ms": "10.000001"}, {"10+", "20"}),
        ({"max_duration_ms": 10}, {"10"}),
        ({"max_duration_ms": "10.0000010"}, {"10", "10+"}),
        ({"min_duration_ms": 20, "max_duration_ms": 20}, {"20"}),
        ({"max_duration_ms": 0}, set()),
    ]
    for parameters, names in table:
        with subtests.test(parameters=parameters):
            assert found(parameters) == names


@pytest.fixture
def starts(ingest: Ingest) -> None:
    """Traces that begin a nanosecond apart; the second ends long after."""
    long = os.urandom(16)
    ingest(
        request(
            span("0", start_ns=START),
            span("1", trace_id=long, start_ns=START + 1),
            span("much later", trace_id=long, start_ns=START + 100 * SECOND_NS),
            span("2", start_ns=START + 2),
        )
    )


@pytest.mark.usefixtures("starts")
def test_start_is_included_and_end_is_not(found: Found, subtests: pytest.Subtests) -> None:
    table: list[tuple[int | None, int | None, set[str]]] = [
        (0, 2, {"0", "1"}),
        (1, 2, {"1"}),
        (1, None, {"1", "2"}),
        (None, 1, {"0"}),
        (2, 2, set()),
        (3, 200 * SECOND_NS, set()),
    ]
    for after, before, names in table:
        bounds = {} if after is None else {"start": format_time(START + after)}
        bounds |= {} if before is None else {"end": format_time(START + before)}
        with subtests.test(after=after, before=before):
            assert found(bounds) == names
            assert found(bounds, service_name="tests") == names


@pytest.mark.usefixtures("starts")
def test_a_span_of_a_trace_that_began_before_does_not_bring_it_in(found: Found) -> None:
    assert found(name="much later", start=format_time(START + 2)) == set()


SENT = {
    "text": "héllo wörld",
    "empty": "",
    "tricky": "a'b\\c\td\ne{x:String}%20\"&=+é🚀",
    "digits": "42",
    "int": 42,
    "big": 2**63 - 1,
    "negative": -7,
    "zero": 0,
    "double": 0.1,
    "whole": 3.0,
    "huge": 1e300,
    "nan": float("nan"),
    "infinity": float("-inf"),
    "yes": True,
    "no": False,
    "array": ["a", 1, 2.5, True],
    "map": {"a": {"b": [1]}, "c": "é"},
    "bytes": b"\x00\xff",
    "nothing": None,
    "key with = & é": "x",
}


@pytest.fixture
def attributed(ingest: Ingest) -> None:
    ingest(request(span("sent", attributes=SENT)), request(span("bare"), resource=SENT), request(span("none")))


SHOWN_AS = [
    *((key, value) for key, value in SENT.items() if isinstance(value, str)),
    ("int", "42"),
    ("int", "42.0"),
    ("big", "9223372036854775807"),
    ("negative", "-7"),
    ("zero", "0"),
    ("double", "0.1"),
    ("double", "1e-1"),
    ("whole", "3.0"),
    ("whole", "3"),
    ("huge", "1e300"),
    ("nan", "NaN"),
    ("infinity", "-Infinity"),
    ("yes", "true"),
    ("no", "false"),
    ("array", '["a", 1, 2.5, true]'),
    ("map", '{"a":{"b":[1]},"c":"é"}'),
    ("bytes", "AP8="),
    ("nothing", "null"),
]


@pytest.mark.usefixtures("attributed")
def test_attributes_of_every_type_match_by_their_text(found: Found, subtests: pytest.Subtests) -> None:
    for key, value in SHOWN_AS:
        with subtests.test(key=key, value=value):
            assert found({f"attr.{key}": value}) == {"sent", "bare"}


NOT_SHOWN_AS = [
    ("absent", "0"),
    ("absent", "false"),
    ("absent", ""),
    ("absent", "null"),
    ("int", "43"),
    ("int", "42.5"),
    ("text", "hello"),
    ("yes", "1"),
    ("zero", "false"),
    ("nan", "nan"),
    ("array", '["a",1]'),
    ("array", "[1e999999]"),
    ("big", "9" * 400),
    ("huge", "1e999"),
    ("text", "["),
    ("%", "%"),
]


@pytest.mark.usefixtures("attributed")
def test_other_values_and_absent_keys_match_nothing(found: Found, subtests: pytest.Subtests) -> None:
    for key, value in NOT_SHOWN_AS:
        with subtests.test(key=key, value=value):
            assert found({f"attr.{key}": value}) == set()


def test_attributes_repeat_and_all_must_hold(ingest: Ingest, found: Found) -> None:
    ingest(request(span("both", attributes={"a": "1", "b": "2"})), request(span("one", attributes={"a": "1"})))
    assert found({"attr.a": "1"}) == {"both", "one"}
    assert found({"attr.a": "1", "attr.b": "2"}) == {"both"}
    assert found({"attr.a": ["1", "2"]}) == set()


def test_texts_of_filters_arrive_as_they_are(ingest: Ingest, found: Found, subtests: pytest.Subtests) -> None:
    texts = ["a'b", "\\", "\\'", "\t\n", '"; DROP TABLE spans; --', "{tenant:String}", "é🚀", "%(a)s", "\\N", " a "]
    ingest(request(span("other")), *(request(span(text), resource={"service.name": text}) for text in texts))
    for text in texts:
        with subtests.test(text=text):
            assert found(name=text) == {text}
            assert found(service_name=text) == {text}


@pytest.mark.parametrize(("column", "value"), [("physical_uuid", "GPU-9"), ("node_id", "node-9")])
def test_the_registry_says_what_a_span_left_out(
    clickhouse: ClickHouse, ingest: Ingest, found: Found, column: str, value: str
) -> None:
    register(clickhouse, resource_uuid="MIG-1", physical_uuid="GPU-9", node_id="node-9")
    register(clickhouse, resource_uuid="MIG-2", tenant="other", physical_uuid="GPU-9", node_id="node-9")
    ingest(
        request(
            span("silent", attributes=gpu(0, resource_uuid="MIG-1")),
            span("silent second", attributes={**gpu(0, resource_uuid="MIG-3"), **gpu(1, resource_uuid="MIG-1")}),
            span("says otherwise", attributes=gpu(0, resource_uuid="MIG-1", **{column: "sent"})),
            span("another tenant's", attributes=gpu(0, resource_uuid="MIG-2")),
            span("no GPU"),
        )
    )
    assert found({column: value}) == {"silent", "silent second"}
    assert found({column: "sent"}) == {"says otherwise"}


def test_json_texts_are_found_with_the_spaces_that_a_client_writes(ingest: Ingest, found: Found) -> None:
    ingest(request(span("sent", attributes={"map": {"a": 1, "b": [1, 2]}})))
    assert found({"attr.map": json.dumps({"a": 1, "b": [1, 2]}, indent=2)}) == {"sent"}
