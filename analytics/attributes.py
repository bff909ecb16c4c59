"""Attributes as ClickHouse keeps them, by type, back to the JSON that was sent; and a JSON text to what is stored.

What is no string, int, double or bool is stored as one letter and the OTLP protobuf
(opentelemetry/proto/common/v1/common.proto): `a` ArrayValue, `k` KeyValueList, `b` raw bytes, `n` no value at all.
"""

import base64
import binascii
import contextlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.message import DecodeError, EncodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from axonize.clickhouse.json_rows import bytes_of, value_of

ATTRIBUTE_COLUMNS: Final = (
    "attributes_string",
    "attributes_int",
    "attributes_bool",
    "attributes_double",
    "attributes_encoded",
)
# A double that ClickHouse writes otherwise than it is shown: a whole one, or one that is no number; or a key like one.
_OTHER_DOUBLE: Final = re.compile(rb':(?:-?[0-9]+[,}]|")')
EMPTY: Final = b"{}"
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1


def attribute_texts(columns: Mapping[str, Sequence[bytes]]) -> list[bytes]:
    """Return the JSON object of each row's attributes, from ATTRIBUTE_COLUMNS as axonize.clickhouse.json_rows has them.

    A key that was sent twice is there twice.
    """
    texts = {**columns}
    texts["attributes_double"] = [
        _doubles(text) if _OTHER_DOUBLE.search(text) else text for text in columns["attributes_double"]
    ]
    texts["attributes_encoded"] = [text if text == EMPTY else _encoded(text) for text in columns["attributes_encoded"]]
    used = [texts[name] for name in ATTRIBUTE_COLUMNS if texts[name].count(EMPTY) < len(texts[name])]
    if not used:
        return [EMPTY] * len(columns["attributes_string"])
    return [b"{" + b",".join([text[1:-1] for text in row if text != EMPTY]) + b"}" for row in zip(*used, strict=True)]


def decode(encoded: bytes) -> Any:
    """Return the JSON value of one stored `attributes_encoded` value.

    An array becomes an array, a map its JSON text, bytes their base64 text, no value null. What is no valid protobuf
    after all, or nests deeper than protobuf reads, is shown as the base64 text of its bytes: it must fail no answer.
    """
    kind, body = encoded[:1], encoded[1:]
    try:
        if kind == b"a":
            return [json_value(value) for value in ArrayValue.FromString(body).values]
        if kind == b"k":
            return json_text(_json_object(KeyValueList.FromString(body).values))
    except DecodeError:
        return _base64(body)
    return _base64(body) if kind == b"b" else None


def decode_key_values(messages: Iterable[bytes]) -> dict[str, Any]:
    """Return the JSON values by key of serialized OTLP KeyValue messages: those of events, links and scopes."""
    values: dict[str, Any] = {}
    for message in messages:
        try:
            pair = KeyValue.FromString(message)
        except DecodeError:
            continue  # without a key there is nothing to show it under
        is_map = pair.value.WhichOneof("value") == "kvlist_value"
        values[pair.key] = json_text(json_value(pair.value)) if is_map else json_value(pair.value)
    return values


def json_value(value: AnyValue) -> Any:
    """Return an OTLP value as JSON; here a map inside an array is an object."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "double_value":
            return json_number(value.double_value)
        case "bool_value":
            return value.bool_value
        case "array_value":
            return [json_value(element) for element in value.array_value.values]
        case "kvlist_value":
            return _json_object(value.kvlist_value.values)
        case "bytes_value":
            return _base64(value.bytes_value)
    return None


def json_number(number: float) -> float | str:
    """Return the number, or "NaN", "Infinity", "-Infinity", which JSON has no numbers for (proto3's JSON mapping)."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def json_text(value: Any) -> str:
    """Return the compact JSON text that maps are shown, and arrays and maps are looked for, by."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encodings(text: str) -> list[bytes]:
    """Return the stored `attributes_encoded` values that are shown as this text: arrays, maps, bytes and null."""
    found = []
    if text == "null":
        found.append(b"n")
    with contextlib.suppress(binascii.Error, ValueError):
        found.append(b"b" + base64.b64decode(text, validate=True))
    if text[:1] in ("[", "{"):
        try:
            value = _any_value(json.loads(text))
            if value.HasField("array_value"):
                found.append(b"a" + value.array_value.SerializeToString(deterministic=True))
            else:
                found.append(b"k" + value.kvlist_value.SerializeToString(deterministic=True))
        except (ValueError, RecursionError, EncodeError):
            pass  # no JSON, or nested deeper than what is stored
    return found


def _doubles(text: bytes) -> bytes:
    values = json.loads(text, parse_int=float)
    return json_text({key: json_number(float(value)) for key, value in values.items()}).encode()


def _encoded(text: bytes) -> bytes:
    return json_text({key: decode(bytes_of(value)) for key, value in value_of(text).items()}).encode()


def _any_value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int() if INT64_MIN <= value <= INT64_MAX:
            return AnyValue(int_value=value)
        case int() | float():
            return AnyValue(double_value=float(value))
        case str():
            return AnyValue(string_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[_any_value(element) for element in value]))
        case dict():
            pairs = [KeyValue(key=key, value=_any_value(element)) for key, element in value.items()]
            return AnyValue(kvlist_value=KeyValueList(values=pairs))
    return AnyValue()


def _json_object(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: json_value(pair.value) for pair in pairs}


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")
