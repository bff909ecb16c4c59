"""GET /traces/{trace_id}: every field as it was sent, and the tree."""

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analytics.queries import trace_rows
from analytics.span_rows import CANONICAL
from analytics.times import format_time
from analytics.views import spans as span_views, traces as trace_views
from tests.analytics.conftest import Get, register, wrong
from tests.conftest import Ingest
from tests.otlp import ERROR, OK, SECOND_NS, gpu, key_values, request, span

# A span that names no GPU is looked up by its sender in the registry.
pytestmark = pytest.mark.django_db

START = time.time_ns() - 600 * SECOND_NS
TRACE = bytes.fromhex("00000000000000000123456789abcdef")  # SGLang's ids begin with eight zero bytes
ROOT = bytes.fromhex("1000000000000001")
PATH = f"/traces/{TRACE.hex()}"


def only_span(get: Get) -> dict[str, Any]:
    (root,) = get(PATH)["spans"]
    assert isinstance(root, dict)
    return root


LIKE_OUR_TEXT = (
    '},"attributes_int":{',
    '],"attributes_string":{"a":"b"',
    '"},"gpus":[{"resource_uuid":"x"}],"events":[',
    ',"scope":{',
    '"pid":null,',
    "attributes_int",
    "}}",
    ':""',
    "\x1e\x1f",
    '\\"',
)


def test_texts_that_look_like_what_is_stored_come_back_as_they_were(ingest: Ingest, get: Get) -> None:
    attributes: dict[str, object] = dict(zip(LIKE_OUR_TEXT, reversed(LIKE_OUR_TEXT), strict=True))
    attributes |= {f"{text} {number}": number for number, text in enumerate(LIKE_OUR_TEXT)}
    attributes |= {f"list {text}": [text] for text in LIKE_OUR_TEXT}
    for text in LIKE_OUR_TEXT:
        sent = span(
            attributes=attributes | gpu(0, resource_uuid=text, user_label=text) | {"gen_ai.response.id": text},
            status=ERROR,
            message=text,
            events=[Span.Event(name=text, attributes=key_values({text: text}))],
            trace_state=text,
        )
        ingest(request(sent, scope=(text, text)))
        (shown,) = get(f"/traces/{sent.trace_id.hex()}")["spans"]
        assert shown["attributes"] == attributes | {"gen_ai.response.id": text}
        assert (shown["request_id"], shown["error_message"], shown["trace_state"]) == (text, text, text)
        assert (shown["gpus"][0]["resource_uuid"], shown["gpus"][0]["user_label"]) == (text, text)
        assert [(event["name"], event["attributes"]) for event in shown["events"]] == [(text, {text: text})]
        assert shown["scope"] == {"name": text, "version": text}
        assert "pid" not in shown


def test_a_bare_span_has_the_fields_that_it_must(ingest: Ingest, get: Get) -> None:
    ingest(
        request(
            span("op", trace_id=TRACE, span_id=ROOT, start_ns=START, duration_ns=1_500_001, kind=0),
            scope=("lib", "2.0"),
        )
    )
    answer = get(PATH)
    (listed,) = get("/traces")["traces"]
    assert answer == {
        **listed,
        "spans": [
            {
                "span_id": ROOT.hex(),
                "name": "op",
                "start_time": format_time(START),
                "end_time": format_time(START + 1_500_001),
                "duration_ms": 1.500001,
                "self_time_ms": 1.500001,
                "status": "unset",
                "kind": "unspecified",
                "service_name": "tests",
                "attributes": {},
                "gpus": [],
                "events": [],
                "links": [],
                "resource": {"service.name": "tests"},
                "scope": {"name": "lib", "version": "2.0"},
                "children": [],
            }
        ],
    }


def test_the_summary_is_the_one_that_the_list_shows(ingest: Ingest, get: Get) -> None:
    def part(
        name: str, at: int, duration: int, gpus: list[str], service: str, **fields: Any
    ) -> ExportTraceServiceRequest:
        held = {
            key: value for number, uuid in enumerate(gpus) for key, value in gpu(number, resource_uuid=uuid).items()
        }
        sent = span(
            name,
            trace_id=TRACE,
            start_ns=START + at,
            duration_ns=duration,
            attributes={**held, **fields.pop("attributes", {})},
            parent_span_id=b"" if name == "root" else ROOT,
            **fields,
        )
        return request(sent, resource={"service.name": service, "deployment.environment.name": f"of {service}"})

    def same() -> dict[str, Any]:
        whole = get(PATH)
        del whole["spans"]
        (listed,) = get("/traces")["traces"]
        assert whole == listed
        return whole

    cost = {"cost.usd": 0.1, "gen_ai.usage.input_tokens": 3, "gen_ai.request.model": "b"}
    ingest(part("early", 5, 30, ["A", "A", "B"], "engine", attributes=cost))
    assert (same()["root_span_name"], same()["status"], same()["cost_usd"]) == ("early", "unset", 0.1)
    more = {"cost.usd": 0.2, "gen_ai.usage.output_tokens": 4, "gen_ai.request.model": "a"}
    ingest(part("late", 20, 40, ["A", ""], "engine", attributes=more), part("apart", 100, 7, ["B"], "engine"))
    ingest(part("root", 10, 50, [], "gateway", status=OK))
    summary = same()
    assert (summary["root_span_name"], summary["service_name"], summary["environment"], summary["status"]) == (
        "root",
        "gateway",
        "of gateway",
        "ok",
    )
    assert (summary["models"], summary["tokens_input"], summary["tokens_output"]) == (["a", "b"], 3, 4)
    assert (summary["gpu_count"], summary["gpu_time_ms"]) == (2, (55 + 30 + 7) / 1e6)
    assert summary["cost_usd"] == 0.3  # summed exactly: 0.1 + 0.2 of doubles is another number
    ingest(part("failed", 40, 1, [], "engine", status=ERROR))
    assert (same()["status"], same()["error_count"], same()["duration_ms"]) == ("error", 1, 102 / 1e6)


def test_attributes_come_back_in_the_types_that_were_sent(ingest: Ingest, get: Get) -> None:
    sent = {
        "text": "héllo\n\x01🚀",
        "empty": "",
        "digits": "42",
        "int": 42,
        "least": -(2**63),
        "most": 2**63 - 1,
        "double": 0.1,
        "whole": 3.0,
        "tiny": 5e-324,
        "true": True,
        "false": False,
        "array": ["a", 1, 2.5, False, None, ["b"], b"\x00"],
        "strings": ["stop", "length"],
        "empty array": [],
        "null": None,
        "gpu.0.unknown": "kept",
        "long": "x" * 100_000,
    }
    changed = {
        "map": ({"a": {"b": [1, 2.0]}, "é": "é"}, '{"a":{"b":[1,2.0]},"é":"é"}'),
        "bytes": (b"\x00\xff", "AP8="),
        "nan": (float("nan"), "NaN"),
        "infinity": (float("-inf"), "-Infinity"),
    }
    ingest(
        request(
            span(
                trace_id=TRACE,
                attributes={**sent, "long": "x" * 100_000, **{key: was for key, (was, _) in changed.items()}},
            ),
            resource={**sent, "service.name": "tests"},
        )
    )
    shown = only_span(get)
    expected = {
        **sent,
        "array": ["a", 1, 2.5, False, None, ["b"], "AA=="],
        **{key: now for key, (_, now) in changed.items()},
    }
    # as texts, for in Python 1 == 1.0 == True
    assert json.dumps(shown["attributes"], sort_keys=True) == json.dumps(expected, sort_keys=True)
    assert json.dumps(shown["resource"]["double"]) == "0.1"
    assert shown["resource"].keys() == {*sent, "service.name"}


def test_canonical_fields_stand_beside_the_attributes_that_they_came_from(ingest: Ingest, get: Get) -> None:
    attributes = {
        "gen_ai.request.model": "llama",
        "gen_ai.usage.input_tokens": 0,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "cost.usd": 0.001,
        "session.id": "s-1",
    }
    resource = {
        "service.name": "engine",
        "service.version": "1.2",
        "host.name": "h",
        "k8s.pod.name": "p",
        "process.pid": 7,
    }
    ingest(request(span(trace_id=TRACE, attributes=attributes), resource=resource))
    shown = only_span(get)
    assert shown["attributes"] == attributes
    assert shown["resource"] == resource
    canonical = {key: shown[key] for key in shown.keys() & {*CANONICAL}}
    assert canonical == {
        "service_name": "engine",
        "service_version": "1.2",
        "host": "h",
        "pod": "p",
        "pid": 7,
        "model_name": "llama",
        "tokens_input": 0,
        "ttft_ms": 250.0,
        "cost_usd": 0.001,
        "session_id": "s-1",
    }


def test_every_kind_has_its_name(ingest: Ingest, get: Get) -> None:
    kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]
    ingest(request(*(span(trace_id=TRACE, kind=number, start_ns=START + number) for number in range(6))))
    assert [one["kind"] for one in get(PATH)["spans"]] == kinds


def test_an_error_has_its_message(ingest: Ingest, get: Get) -> None:
    ingest(request(span(trace_id=TRACE, status=ERROR, message="CUDA out of memory")))
    shown = only_span(get)
    assert (shown["status"], shown["error_message"]) == ("error", "CUDA out of memory")


def test_events_links_and_the_protocols_own_fields_are_kept(ingest: Ingest, get: Get) -> None:
    event = Span.Event(
        time_unix_nano=START + 1,
        name="exception",
        attributes=key_values({"exception.message": "x", "n": 1, "map": {"a": 1}}),
        dropped_attributes_count=2,
    )
    bare_event = Span.Event(time_unix_nano=START + 2, name="token")
    link = Span.Link(
        trace_id=TRACE,
        span_id=ROOT,
        trace_state="a=b",
        flags=257,
        dropped_attributes_count=3,
        attributes=key_values({"stage": "prefill", "n": 2.5}),
    )
    bare_link = Span.Link(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)
    sent = request(
        span(
            trace_id=TRACE,
            start_ns=START,
            events=[event, bare_event],
            links=[link, bare_link],
            trace_state="rojo=1",
            flags=256,
            dropped_attributes_count=4,
            dropped_events_count=5,
            dropped_links_count=6,
        )
    )
    scope = sent.resource_spans[0].scope_spans[0].scope
    scope.attributes.extend(key_values({"k": True}))
    ingest(sent)
    shown = only_span(get)
    assert shown["events"] == [
        {
            "time": format_time(START + 1),
            "name": "exception",
            "attributes": {"exception.message": "x", "n": 1, "map": '{"a":1}'},
            "dropped_attributes_count": 2,
        },
        {"time": format_time(START + 2), "name": "token", "attributes": {}},
    ]
    assert shown["links"] == [
        {
            "trace_id": TRACE.hex(),
            "span_id": ROOT.hex(),
            "attributes": {"stage": "prefill", "n": 2.5},
            "trace_state": "a=b",
            "dropped_attributes_count": 3,
            "flags": 257,
        },
        {"trace_id": "01" * 16, "span_id": "02" * 8, "attributes": {}},
    ]
    assert shown["scope"] == {"name": "tests", "version": "1", "attributes": {"k": True}}
    assert (shown["trace_state"], shown["flags"]) == ("rojo=1", 256)
    assert [shown[f"dropped_{what}_count"] for what in ("attributes", "events", "links")] == [4, 5, 6]


def test_gpus_are_as_sent_and_what_was_left_out_is_the_registrys_word(
    clickhouse: ClickHouse, ingest: Ingest, get: Get
) -> None:
    known = {"physical_uuid": "GPU-9", "model": "H200", "node_id": "node-9", "vendor": "X", "resource_type": "Y"}
    register(clickhouse, resource_uuid="MIG-1", **known)
    zeros = dict.fromkeys(("utilization", "memory_used_gb"), 0.0) | dict.fromkeys(
        ("temperature_celsius", "power_watts", "clock_mhz"), 0
    )
    sent = {
        "resource_uuid": "GPU-a",
        "physical_uuid": "GPU-a",
        "model": "A100",
        "vendor": "NVIDIA",
        "node_id": "node-1",
        "resource_type": "full_gpu",
        "user_label": "cuda:0",
        "utilization": 87.5,
        "memory_used_gb": 40.25,
        "memory_total_gb": 80.0,
        "temperature_celsius": 61,
        "power_watts": 300,
        "clock_mhz": 1410,
    }
    ingest(
        request(
            span(
                trace_id=TRACE,
                attributes={
                    **gpu(0, **sent),
                    **gpu(1, resource_uuid="MIG-1", **zeros),
                    **gpu(2, resource_uuid="MIG-1", node_id="node-2", vendor="sent"),
                    **gpu(3, resource_uuid="MIG-unknown"),
                    **gpu(4, resource_uuid="GPU-b", physical_uuid="GPU-b"),
                },
            )
        )
    )
    shown = only_span(get)
    empty = dict.fromkeys(sent)
    registered = {**empty, "resource_uuid": "MIG-1", **known}
    assert {one.pop("source") for one in shown["gpus"]} == {"span"}
    assert shown["gpus"] == [
        sent,
        {**registered, **zeros},
        {**registered, "node_id": "node-2", "vendor": "sent"},
        {**empty, "resource_uuid": "MIG-unknown", "vendor": "NVIDIA", "resource_type": "mig"},
        {
            **empty,
            "resource_uuid": "GPU-b",
            "physical_uuid": "GPU-b",
            "vendor": "NVIDIA",
            "resource_type": "full_gpu",
        },
    ]
    assert shown["attributes"] == {}


def nested(spans: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the tree as {name: {child's name: …}}."""
    return {one["name"]: nested(one["children"]) for one in spans}


def test_spans_are_nested_children_by_start_time_across_batches(ingest: Ingest, get: Get) -> None:
    middle = os.urandom(8)
    ingest(request(span("deep", trace_id=TRACE, parent_span_id=middle, start_ns=START + 30)))
    ingest(
        request(
            span("second", trace_id=TRACE, parent_span_id=ROOT, start_ns=START + 20, duration_ns=10),
            span("first", trace_id=TRACE, parent_span_id=ROOT, span_id=middle, start_ns=START + 10, duration_ns=10),
            span("orphan", trace_id=TRACE, parent_span_id=os.urandom(8), start_ns=START + 5),
            span("root", trace_id=TRACE, span_id=ROOT, start_ns=START, duration_ns=1000, status=OK),
        )
    )
    answer = get(PATH)
    assert nested(answer["spans"]) == {"root": {"first": {"deep": {}}, "second": {}}, "orphan": {}}
    root, orphan = answer["spans"]
    assert "parent_span_id" not in root
    assert len(orphan["parent_span_id"]) == 16
    assert [child["parent_span_id"] for child in root["children"]] == [ROOT.hex()] * 2
    assert root["self_time_ms"] == (1000 - 20) / 1e6


def test_spans_that_are_their_own_ancestors_and_twice_the_same_are_all_shown(ingest: Ingest, get: Get) -> None:
    a, b, c = (os.urandom(8) for _ in range(3))
    ingest(
        request(
            span("a", trace_id=TRACE, span_id=a, parent_span_id=b, start_ns=START + 1),
            span("b", trace_id=TRACE, span_id=b, parent_span_id=a, start_ns=START + 2),
            span("self", trace_id=TRACE, span_id=c, parent_span_id=c, start_ns=START + 3),
            span("again", trace_id=TRACE, span_id=a, parent_span_id=b, start_ns=START + 4),
        )
    )
    assert nested(get(PATH)["spans"]) == {"a": {"b": {"again": {}}}, "self": {}}


@pytest.fixture
def deep_json() -> Iterator[None]:
    """Let json.loads, which recurses, read what the server wrote without recursion."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("deep_json")
def test_a_trace_of_five_thousand_levels_is_shown(ingest: Ingest, get: Get) -> None:
    ids = [number.to_bytes(8) for number in range(1, 5_001)]
    parents = [b"", *ids[:-1]]
    pairs = zip(ids, parents, strict=True)
    ingest(
        request(
            *(
                span(trace_id=TRACE, span_id=own, parent_span_id=parent, start_ns=START + number)
                for number, (own, parent) in enumerate(pairs)
            )
        )
    )
    level, depth = get(PATH)["spans"], 0
    while level:
        (one,) = level
        assert one["span_id"] == ids[depth].hex()
        level, depth = one["children"], depth + 1
    assert depth == 5_000


def test_a_trace_of_ten_thousand_spans_is_shown(ingest: Ingest, get: Get) -> None:
    children = (
        span(trace_id=TRACE, parent_span_id=ROOT, start_ns=START + number, attributes={"n": number})
        for number in range(9_999)
    )
    ingest(request(span("root", trace_id=TRACE, span_id=ROOT, start_ns=START), *children))
    answer = get(PATH)
    (root,) = answer["spans"]
    assert answer["span_count"] == 10_000
    assert [child["attributes"]["n"] for child in root["children"]] == list(range(9_999))


def test_a_trace_beyond_the_bound_of_spans_is_a_422_that_says_so(
    ingest: Ingest, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(request(*(span(trace_id=TRACE) for _ in range(3))))
    monkeypatch.setattr(trace_rows, "MAX_SPANS", 2)
    for path in (PATH, f"{PATH}/spans"):
        answer = get(path, status=422)
        assert answer["type"] == "client_error"
        (error,) = answer["errors"]
        assert (error["code"], error["detail"]) == ("query_too_large", span_views.TOO_MANY_SPANS)


def test_a_trace_beyond_the_bound_of_bytes_is_a_422_and_still_there_page_by_page(
    ingest: Ingest, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(request(*(span(trace_id=TRACE, attributes={"long": "x" * 100_000}) for _ in range(50))))
    monkeypatch.setattr(trace_rows, "MAX_ANSWER_BYTES", 2_000_000)
    (error,) = get(PATH, status=422)["errors"]
    assert error["detail"] == trace_views.TOO_LARGE
    assert len(get(f"{PATH}/spans", limit=5)["spans"]) == 5


@pytest.mark.parametrize("trace_id", [TRACE.hex(), "f" * 32])
def test_an_unknown_id_is_a_404(clickhouse: ClickHouse, get: Get, trace_id: str) -> None:  # noqa: ARG001  emptied
    for path in (f"/traces/{trace_id}", f"/traces/{trace_id}/spans"):
        answer = get(path, status=404)
        assert answer == {
            "type": "client_error",
            "errors": [{"code": "not_found", "detail": "There is no such trace.", "attr": None}],
        }


@pytest.mark.parametrize("trace_id", ["0", "g" * 32, "f" * 31, "f" * 33, "%00", "'; --"])
def test_an_id_that_is_none_is_a_400_that_names_it(get: Get, trace_id: str) -> None:
    assert wrong(get(f"/traces/{trace_id}", status=400)) == {"trace_id"}


def test_upper_case_ids_are_understood(ingest: Ingest, get: Get) -> None:
    ingest(request(span(trace_id=TRACE)))
    assert get(f"/traces/{TRACE.hex().upper()}")["trace_id"] == TRACE.hex()


def test_no_parameter_is_known(get: Get) -> None:
    assert wrong(get(PATH, depth=1, status=400)) == {"depth"}


def test_a_trace_takes_a_query_and_others_only_for_what_is_not_known_yet(
    ingest: Ingest, get: Get, queries: list[str]
) -> None:
    def count() -> int:
        queries.clear()
        get(PATH)
        return len(queries)

    resource = {"service.name": "tests", "test.run": os.urandom(8).hex()}
    complete = gpu(0, **dict.fromkeys(("resource_uuid", "physical_uuid", "model", "vendor", "node_id"), "GPU-a"))
    ingest(request(span(trace_id=TRACE, attributes={**complete, "gpu.0.resource_type": "mig"}), resource=resource))
    assert count() == 2  # the resource's attributes, once
    assert count() == 1
    ingest(request(span(trace_id=TRACE, attributes=gpu(0, resource_uuid="GPU-a")), resource=resource))
    assert count() == 2  # what the registry says of the GPU, each time


def test_the_answer_is_utf_8_json(ingest: Ingest, client: Client) -> None:
    ingest(request(span("é", trace_id=TRACE)))
    assert '"é"'.encode() in client.get(f"/api/v1{PATH}").content
