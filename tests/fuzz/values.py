"""What an attribute's value is worth to a column, and how it looks in JSON: rule 1 of docs/conventions.md."""

import base64
import json
import math
import re
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

NUMERAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
DURATION = re.compile(r"([0-9.]+)(ns|µs|μs|us|ms|s)")
MILLISECONDS = {"ns": 1e-6, "µs": 1e-3, "μs": 1e-3, "us": 1e-3, "ms": 1.0, "s": 1e3}
INT64 = range(-(2**63), 2**63)


class Approximate(float):
    """A double whose text only has to read back as the same number."""


def text_of(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return Approximate(value.double_value)
    return ""


def integer_of(value: AnyValue) -> int | None:
    if value.HasField("int_value"):
        return value.int_value
    if value.HasField("string_value") and re.fullmatch(r"[+-]?[0-9]{1,30}", value.string_value, re.ASCII):
        exact = int(value.string_value)
        if exact in INT64:
            return exact
    number = value.double_value if value.HasField("double_value") else number_of(value)
    if number is None or not math.isfinite(number) or not number.is_integer():
        return None
    return int(number) if int(number) in INT64 else None


def number_of(value: AnyValue) -> float | None:
    """Return a finite number: a double, an integer that a double holds exactly, or a text of one."""
    number = None
    match value.WhichOneof("value"):
        case "double_value":
            number = value.double_value
        case "int_value":
            number = float(value.int_value) if int(float(value.int_value)) == value.int_value else None
        case "string_value" if NUMERAL.fullmatch(value.string_value):
            number = float(value.string_value)
    return number if number is not None and math.isfinite(number) else None


def reading_of(value: AnyValue) -> float | None:
    """Return a GPU's reading; an integer of any size is one, for no sensor counts that far."""
    return float(value.int_value) if value.HasField("int_value") else number_of(value)


def duration_of(value: AnyValue) -> float | None:
    match = DURATION.fullmatch(value.string_value)
    if match is None or not NUMERAL.fullmatch(match[1]):
        return None
    return scaled(float(match[1]), MILLISECONDS[match[2]])


def scaled(number: float | None, factor: float) -> float | None:
    return None if number is None or not math.isfinite(number * factor) else number * factor


def json_value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [json_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return {pair.key: json_value(pair.value) for pair in value.kvlist_value.values}
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "double_value":
            number = value.double_value
            return number if math.isfinite(number) else "NaN" if math.isnan(number) else f"{'-' * (number < 0)}Infinity"
        case member:
            return getattr(value, member)


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
