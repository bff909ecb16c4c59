"""Attribute values between OTLP's protobuf and the API's JSON."""

import json
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

from analytics.attributes import decode, decode_key_values, encodings
from tests.otlp import any_value, key_values


def array(values: list[object]) -> bytes:
    return b"a" + ArrayValue(values=[any_value(value) for value in values]).SerializeToString()


def mapping(**values: object) -> bytes:
    return b"k" + KeyValueList(values=key_values(values)).SerializeToString()


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (array([]), []),
        (array([1, 1.0, "1", True, None]), [1, 1.0, "1", True, None]),
        (array([[["deep"]], b"\x00\xff"]), [[["deep"]], "AP8="]),
        (array([{"a": 1}]), [{"a": 1}]),
        (array([float("nan"), float("inf"), float("-inf")]), ["NaN", "Infinity", "-Infinity"]),
        (array([-(2**63), 2**63 - 1]), [-(2**63), 2**63 - 1]),
        (mapping(), "{}"),
        (mapping(a={"b": [1, None]}, c="é"), '{"a":{"b":[1,null]},"c":"é"}'),
        (b"b", ""),
        (b"b\x00\xff", "AP8="),
        (b"n", None),
    ],
)
def test_stored_values_become_json(stored: bytes, shown: Any) -> None:
    decoded = decode(stored)
    assert decoded == shown
    assert json.dumps(decoded) == json.dumps(shown)  # 1 and 1.0 and True differ


@pytest.mark.parametrize("stored", [b"a\xff\xff", b"k\x0a\x05x", b"a" + b"\x0a\x7f" * 3])
def test_bytes_that_are_no_protobuf_are_shown_as_base64(stored: bytes) -> None:
    assert isinstance(decode(stored), str)


def test_maps_of_events_and_links_are_shown_as_text_like_those_of_spans() -> None:
    pairs = key_values({"n": 1, "map": {"a": 1}, "array": [{"a": 1}]})
    shown = decode_key_values([pair.SerializeToString() for pair in pairs])
    assert shown == {"n": 1, "map": '{"a":1}', "array": [{"a": 1}]}


def test_a_key_value_that_is_no_protobuf_is_left_out() -> None:
    assert decode_key_values([b"\xff"]) == {}


@pytest.mark.parametrize(
    "stored",
    [
        array([]),
        array([1, 2.5, "x", True, None, [1]]),
        array([{"a": [1]}]),
        mapping(),
        mapping(a=1, b={"c": 1.5}),
        b"n",
        b"b\x00\xff",
    ],
)
def test_a_value_is_found_by_the_text_that_it_is_shown_as(stored: bytes) -> None:
    shown = decode(stored)
    text = shown if isinstance(shown, str) else json.dumps(shown)
    assert stored in encodings(text)


@pytest.mark.parametrize("text", ["", "x", "[", "[1,", "{'a': 1}", "[" * 600 + "]" * 600, "[" * 100_000, "12"])
def test_a_text_that_no_such_value_is_shown_as_finds_nothing(text: str) -> None:
    assert encodings(text) in ([], [b"b"])


def test_an_unknown_kind_of_value_is_null() -> None:
    assert decode_key_values([key_values({"a": AnyValue()})[0].SerializeToString()]) == {"a": None}
