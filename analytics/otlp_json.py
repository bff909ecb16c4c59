"""A trace as OTLP's JSON, an ExportTraceServiceRequest (OTLP specification, "JSON Protobuf Encoding").

It is protobuf's JSON mapping, with ids in hex and enums as numbers. It says what was sent as far as that is stored.
These are not, so it says less, or says it otherwise:

* the order of attributes, the requests in which spans came, schema URLs, what resources and scopes dropped, and whether
  a status or a value was left out or is empty;
* of `gpu.N.*` (docs/conventions.md) the numbers N, which here have no gaps, and the types: texts of GPUs are strings,
  readings doubles, but for whole temperatures, powers and clocks, which are ints. A resource that was not named is
  named by its card. What was of no use as a GPU's stands among the attributes, where it is as it was sent;
* a value that was no valid protobuf, or nested deeper than protobuf reads: its bytes.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from analytics.attributes import json_number
from analytics.span_rows import GPU_READINGS, GPU_TEXTS
from axonize.clickhouse.json_rows import bytes_of, value_of

Json = dict[str, Any]
Row = Mapping[str, bytes]

_KINDS: Final = {"unspecified": 0, "internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_STATUSES: Final = {"unset": 0, "ok": 1, "error": 2}
_WHOLE_READINGS: Final = frozenset({"temperature_celsius", "power_watts", "clock_mhz"})
_MOST_WHOLE: Final = 2**53  # up to which a double has each integer
_NO_PARENT: Final = "0" * 16
_DROPPED: Final = {
    "dropped_attributes_count": "droppedAttributesCount",
    "dropped_events_count": "droppedEventsCount",
    "dropped_links_count": "droppedLinksCount",
}


def request_pieces(spans: Iterable[Row], resources: Mapping[bytes, Row]) -> Iterator[bytes]:
    """Yield the JSON of the request, piece by piece.

    `spans` are rows of analytics.queries.otlp_rows, those of one resource one after the other; each run of one scope
    becomes a `scopeSpans`. `resources` has each resource's attributes by type.
    """
    resource = scope = None
    yield b'{"resourceSpans":['
    for row in spans:
        if row["resource_hex"] != resource:
            yield b"]}]}," if resource is not None else b""
            resource, scope = row["resource_hex"], None
            yield b'{"resource":' + _text({"attributes": _attributes(resources.get(resource, {}))}) + b',"scopeSpans":['
        if row["scope"] != scope:
            yield b"]}," if scope is not None else b""
            scope = row["scope"]
            yield b'{"scope":' + _text(_scope(value_of(scope))) + b',"spans":['
        else:
            yield b","
        yield _text(_span(row))
    yield b"]}]}]}" if resource is not None else b"]}"


def _span(row: Row) -> Json:
    members = value_of(b"{" + row["members"][1:] + b"}")
    status: Json = {"code": _STATUSES[value_of(row["status"])]}
    if "error_message" in members:
        status["message"] = members["error_message"]
    parent = value_of(row["parent_hex"])
    span: Json = {
        "traceId": value_of(row["trace_hex"]),
        "spanId": value_of(row["span_hex"]),
        "name": value_of(row["name"]),
        "kind": _KINDS[members["kind"]],
        "startTimeUnixNano": row["start_ns"].decode(),
        "endTimeUnixNano": row["end_ns"].decode(),
        "attributes": [*_gpus(value_of(row["gpus"])), *_attributes(row)],
        "events": [_event(**event) for event in value_of(row["events"])],
        "links": [_link(**link) for link in value_of(row["links"])],
        "status": status,
    }
    if parent != _NO_PARENT:
        span["parentSpanId"] = parent
    if "trace_state" in members:
        span["traceState"] = members["trace_state"]
    if "flags" in members:
        span["flags"] = members["flags"]
    return span | {shown: members[name] for name, shown in _DROPPED.items() if name in members}


def _attributes(columns: Row) -> list[Json]:
    """Return the attributes of ATTRIBUTE_COLUMNS, a key that was sent twice twice; nothing of columns without any."""
    return [
        *(_pair(key, {"stringValue": text}) for key, text in _pairs(columns, "attributes_string")),
        *(_pair(key, {"intValue": str(number)}) for key, number in _pairs(columns, "attributes_int")),
        *(_pair(key, {"boolValue": truth}) for key, truth in _pairs(columns, "attributes_bool")),
        *(_pair(key, _double(number)) for key, number in _pairs(columns, "attributes_double")),
        *(_pair(key, _encoded(bytes_of(value))) for key, value in _pairs(columns, "attributes_encoded")),
    ]


def _gpus(gpus: Iterable[Json]) -> Iterator[Json]:
    for number, gpu in enumerate(gpus):
        for name in GPU_TEXTS:
            if gpu.get(name):
                yield _pair(f"gpu.{number}.{name}", {"stringValue": gpu[name]})
        for name in GPU_READINGS:
            reading = gpu.get(name)
            if reading is not None:
                yield _pair(f"gpu.{number}.{name}", _reading(name, float(reading)))


def _reading(name: str, reading: float) -> Json:
    is_whole = name in _WHOLE_READINGS and reading.is_integer() and abs(reading) <= _MOST_WHOLE
    return {"intValue": str(int(reading))} if is_whole else _double(reading)


def _event(*, time_unix_nano: int, name: str, attributes: list[str], dropped_attributes_count: int) -> Json:
    event: Json = {"timeUnixNano": str(time_unix_nano), "name": name, "attributes": _key_values(attributes)}
    return event | ({"droppedAttributesCount": dropped_attributes_count} if dropped_attributes_count else {})


def _link(
    *, trace_id: str, span_id: str, trace_state: str, attributes: list[str], dropped_attributes_count: int, flags: int
) -> Json:
    rest = {"traceState": trace_state, "droppedAttributesCount": dropped_attributes_count, "flags": flags}
    return {
        "traceId": bytes_of(trace_id).hex(),
        "spanId": bytes_of(span_id).hex(),
        "attributes": _key_values(attributes),
        **{name: value for name, value in rest.items() if value},
    }


def _scope(scope: Json) -> Json:
    return {"name": scope["name"], "version": scope["version"], "attributes": _key_values(scope["attributes"])}


def _key_values(messages: Iterable[str]) -> list[Json]:
    """Return stored OTLP KeyValue messages; what is none is left out, for it has no key."""
    found = []
    for text in messages:
        try:
            pair = KeyValue.FromString(bytes_of(text))
        except DecodeError:
            continue
        found.append(_pair(pair.key, _any(pair.value)))
    return found


def _encoded(encoded: bytes) -> Json:
    """Return one stored `attributes_encoded` value; see analytics.attributes."""
    kind, body = encoded[:1], encoded[1:]
    try:
        if kind == b"a":
            return _any(AnyValue(array_value=ArrayValue.FromString(body)))
        if kind == b"k":
            return _any(AnyValue(kvlist_value=KeyValueList.FromString(body)))
    except DecodeError:
        pass
    return {} if kind == b"n" else {"bytesValue": base64.b64encode(body).decode()}


def _any(value: AnyValue) -> Json:
    shown: Json = MessageToDict(value)
    return shown


def _double(number: float | str) -> Json:
    return {"doubleValue": json_number(float(number))}


def _pair(key: str, value: Json) -> Json:
    return {"key": key, "value": value}


def _pairs(columns: Row, name: str) -> list[tuple[str, Any]]:
    """Return what the JSON object of a column says, also of a key that is there twice."""
    text = columns.get(name, b"{}")
    if text == b"{}":
        return []
    parse_int = float if name == "attributes_double" else int
    pairs: list[tuple[str, Any]] = json.loads(
        text.decode("utf-8", "surrogateescape"), object_pairs_hook=list, parse_int=parse_int
    )
    return pairs


def _text(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
