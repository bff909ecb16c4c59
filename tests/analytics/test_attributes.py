"""Attribute values between OTLP's protobuf and the API's JSON."""

import base64
import json
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

from analytics.attributes import ATTRIBUTE_COLUMNS, attribute_texts, decode, decode_key_values, encodings
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


def shown(**columns: list[bytes]) -> list[dict[str, Any]]:
    """Return the attributes of rows of which only these columns are not empty."""
    rows = len(next(iter(columns.values())))
    whole = {name: columns.get(name.removeprefix("attributes_"), [b"{}"] * rows) for name in ATTRIBUTE_COLUMNS}
    return [json.loads(text) for text in attribute_texts(whole)]


def test_the_maps_of_a_row_become_one_object() -> None:
    assert shown(
        string=[b'{"a":"x"}', b"{}", b"{}"], int=[b'{"b":1}', b'{"c":2}', b"{}"], bool=[b'{"d":true}'] * 3
    ) == [
        {"a": "x", "b": 1, "d": True},
        {"c": 2, "d": True},
        {"d": True},
    ]
    assert shown(string=[b"{}", b"{}"]) == [{}, {}]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"3", 3.0),
        (b"-3", -3.0),
        (b"-0", -0.0),
        (b"1e21", 1e21),
        (b"0.1", 0.1),
        (b"12345678901234567000", 12345678901234567000.0),
        (b'"nan"', "NaN"),
        (b'"inf"', "Infinity"),
        (b'"-inf"', "-Infinity"),
    ],
)
@pytest.mark.parametrize("key", ["k", ":5,", '":7}', '"nan"', "a\\", "é"])
def test_a_double_stays_one_whatever_its_key(key: str, written: bytes, value: float | str) -> None:
    name = json.dumps(key, ensure_ascii=False).encode()
    (row,) = shown(double=[b"{" + name + b":" + written + b',"other":1.5}'])
    assert json.dumps(row) == json.dumps({key: value, "other": 1.5})


def test_what_is_stored_as_protobuf_is_read_byte_by_byte() -> None:
    stored = b"b" + bytes(range(256))
    text = stored.decode("utf-8", "surrogateescape")
    escaped = json.dumps({"bytes": text, "null": "n"}, ensure_ascii=False).encode("utf-8", "surrogateescape")
    assert shown(encoded=[escaped, b"{}"]) == [
        {"bytes": base64.b64encode(bytes(range(256))).decode(), "null": None},
        {},
    ]
