"""What the API must show for a span that was sent: docs/conventions.md in Python, written apart from the mapping.

Where OTLP leaves something open, all answers that the conventions allow are named.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from tests.fuzz.conventions import COLUMNS, GPU_FIELDS, GPU_TEXTS, RESOURCE_COLUMNS, TYPES
from tests.fuzz.values import (
    INT64,
    Approximate,
    compact,
    duration_of,
    integer_of,
    json_value,
    number_of,
    reading_of,
    scaled,
    text_of,
)

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
GPU_KEY = re.compile(r"gpu\.([0-9]{1,2})\.(" + "|".join(GPU_FIELDS) + r")", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COST_STEP = 1e-12  # a cost is kept to twelve decimals, and below 10^26
MAX_COST = 1e26


def faults(shown: dict[str, Any], span: Span, resource: Resource, scope_spans: ScopeSpans) -> list[str]:
    """Return what the API shows otherwise than it was sent; nothing where all is well."""
    expected = {
        "span_id": span.span_id.hex(),
        "name": span.name,
        "start_time": time_text(span.start_time_unix_nano),
        "end_time": time_text(span.end_time_unix_nano),
        "duration_ms": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
        "status": STATUSES[span.status.code],
        "kind": KINDS[span.kind],
        "scope": {"name": scope_spans.scope.name, "version": scope_spans.scope.version},
        **({"parent_span_id": span.parent_span_id.hex()} if any(span.parent_span_id) else {}),
        **where_set(error_message=span.status.message, trace_state=span.trace_state, flags=span.flags),
        **where_set(
            dropped_attributes_count=span.dropped_attributes_count,
            dropped_events_count=span.dropped_events_count,
            dropped_links_count=span.dropped_links_count,
        ),
        **resource_columns(resource),
    }
    columns = span_columns(span)
    attributes = [pair for pair in span.attributes if gpu_slot(pair) is None]
    unknown = shown.keys() - expected.keys() - columns.keys()
    unknown -= {"attributes", "gpus", "events", "links", "resource", "children", "self_time_ms", "depth"}
    scope = dict(shown["scope"])
    return [
        *(f"{key} is shown and was not sent" for key in unknown),
        *(
            f"{key}: sent {value!r}, shown {(scope if key == 'scope' else shown.get(key))!r}"
            for key, value in expected.items()
            if key != "scope" and not same(value, shown.get(key))
        ),
        *attribute_faults("scope.attributes", scope.pop("attributes", {}), scope_spans.scope.attributes),
        *([] if scope == expected["scope"] else [f"scope: {scope!r}"]),
        *(
            f"{key}: expected {value!r}, shown {shown.get(key)!r}"
            for key, value in columns.items()
            if not near(value, shown.get(key))
        ),
        *attribute_faults("attributes", shown["attributes"], attributes),
        *attribute_faults("resource", shown["resource"], resource.attributes),
        *gpu_faults(shown["gpus"], span),
        *event_faults(shown["events"], span.events),
        *link_faults(shown["links"], span.links),
    ]


def attribute_faults(where: str, shown: dict[str, Any], sent: Iterable[KeyValue]) -> list[str]:
    """Return how the attributes differ; a key that was sent twice may show either value."""
    allowed: dict[str, list[Any]] = {}
    for pair in sent:
        value = json_value(pair.value)
        is_map = pair.value.HasField("kvlist_value")
        allowed.setdefault(pair.key, []).append(compact(value) if is_map else value)
    return [
        *(f"{where}: {key!r} is shown and was not sent" for key in shown.keys() - allowed.keys()),
        *(f"{where}: {key!r} is lost" for key in allowed.keys() - shown.keys()),
        *(
            f"{where}: {key!r} sent as {values!r}, shown as {shown[key]!r}"
            for key, values in allowed.items()
            if key in shown and not any(same(value, shown[key]) for value in values)
        ),
    ]


def event_faults(shown: Sequence[dict[str, Any]], sent: Sequence[Span.Event]) -> list[str]:
    if len(shown) != len(sent):
        return [f"{len(sent)} events sent, {len(shown)} shown"]
    found = []
    for was, event in zip(shown, sent, strict=True):
        head = {
            "time": time_text(event.time_unix_nano),
            "name": event.name,
            **where_set(dropped_attributes_count=event.dropped_attributes_count),
        }
        rest = {key: value for key, value in was.items() if key != "attributes"}
        found += [] if rest == head else [f"event: sent {head!r}, shown {rest!r}"]
        found += attribute_faults("event", was["attributes"], event.attributes)
    return found


def link_faults(shown: Sequence[dict[str, Any]], sent: Sequence[Span.Link]) -> list[str]:
    if len(shown) != len(sent):
        return [f"{len(sent)} links sent, {len(shown)} shown"]
    found = []
    for was, link in zip(shown, sent, strict=True):
        head = {
            "trace_id": link.trace_id.hex(),
            "span_id": link.span_id.hex(),
            **where_set(
                trace_state=link.trace_state,
                dropped_attributes_count=link.dropped_attributes_count,
                flags=link.flags,
            ),
        }
        rest = {key: value for key, value in was.items() if key != "attributes"}
        found += [] if rest == head else [f"link: sent {head!r}, shown {rest!r}"]
        found += attribute_faults("link", was["attributes"], link.attributes)
    return found


def gpu_slot(pair: KeyValue) -> tuple[int, str] | None:
    """Return the number and the field of a GPU that the attribute usably tells, None where it is any attribute."""
    match = GPU_KEY.fullmatch(pair.key)
    if match is None:
        return None
    field = match[2]
    usable = text_of(pair.value) if field in GPU_TEXTS else reading_of(pair.value)
    return None if usable in ("", None) else (int(match[1]), field)


def gpu_faults(shown: Sequence[dict[str, Any]], span: Span) -> list[str]:
    """Compare the attributions; of a field that was sent twice the first counts. The registry knows nothing here."""
    groups: dict[int, dict[str, Any]] = {}
    for pair in span.attributes:
        if slot := gpu_slot(pair):
            number, field = slot
            value = text_of(pair.value) if field in GPU_TEXTS else reading_of(pair.value)
            groups.setdefault(number, {}).setdefault(field, value)
    found = [] if len(shown) == len(groups) else [f"{len(groups)} GPUs sent, {len(shown)} shown"]
    for was, number in zip(shown, sorted(groups), strict=False):
        sent = groups[number]
        resource = sent.get("resource_uuid", sent.get("physical_uuid"))
        expected = dict.fromkeys(GPU_FIELDS) | sent | {"resource_uuid": resource, "source": "span"}
        if resource is not None:
            kind = "full_gpu" if repr(resource) == repr(sent.get("physical_uuid")) else "mig"
            if isinstance(resource, Approximate) != isinstance(sent.get("physical_uuid"), Approximate):
                kind = was["resource_type"]  # a double and a text: the same where ClickHouse writes them alike
            expected = {"vendor": "NVIDIA", "resource_type": kind} | {
                field: value
                for field, value in expected.items()
                if value is not None or field not in ("vendor", "resource_type")
            }
        found += [
            f"gpu {number} {field}: expected {expected.get(field)!r}, shown {was.get(field)!r}"
            for field in expected.keys() | was.keys()
            if not near(expected.get(field), was.get(field, "absent"))
        ]
    return found


def resource_columns(resource: Resource) -> dict[str, Any]:
    first = first_of(resource.attributes)
    texts = {
        column: next((text for key in keys if key in first and (text := resource_text(first[key]))), "")
        for column, keys in RESOURCE_COLUMNS.items()
    }
    pid = texts.pop("pid")
    texts["service_name"] = texts["service_name"] or "unknown_service"
    is_number = re.fullmatch(r"[+-]?[0-9]+", pid, re.ASCII) and int(pid[:30]) in INT64
    return {**where_set(**texts), **({"pid": int(pid)} if is_number else {})}


def resource_text(value: AnyValue) -> str:
    """Return a text of a resource: a string, or an integer's digits."""
    return str(value.int_value) if value.HasField("int_value") else value.string_value


def span_columns(span: Span) -> dict[str, Any]:
    """Return the canonical columns that the span's attributes fill."""
    first = first_of(span.attributes)
    found: dict[str, Any] = {}
    for column, keys in COLUMNS.items():
        for key, meaning in keys:
            if not key:
                value: Any = "llm" if span.name == "llm_request" else None
            else:
                value = column_value(TYPES[column], meaning, first.get(key, AnyValue()))
            if column == "cost_usd" and value is not None and abs(value) >= MAX_COST:
                value = None
                break
            if value not in ("", None):
                found[column] = value
                break
    derived = tokens_per_second(span, found)
    if "tokens_per_second" not in found and derived is not None:
        found["tokens_per_second"] = derived
    return found


def column_value(letter: str, meaning: str, value: AnyValue) -> Any:
    match letter, meaning:
        case "s", _:
            return text_of(value)
        case "i", _:
            return integer_of(value)
        case _, "seconds":
            return scaled(number_of(value), 1000)
        case _, "latency":
            return value.int_value / 1e6 if value.HasField("int_value") else scaled(number_of(value), 1000)
        case _, "duration text":
            return duration_of(value)
    return number_of(value)


def tokens_per_second(span: Span, found: dict[str, Any]) -> float | None:
    if "tokens_output" not in found or "ttft_ms" not in found:
        return None
    left_ms: float = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6 - found["ttft_ms"]
    return found["tokens_output"] / (left_ms / 1000) if left_ms > 0 else None


def first_of(pairs: Iterable[KeyValue]) -> dict[str, AnyValue]:
    first: dict[str, AnyValue] = {}
    for pair in pairs:
        first.setdefault(pair.key, pair.value)
    return first


def same(expected: Any, shown: Any) -> bool:
    """Compare as JSON texts, for in Python 1 == 1.0 == True and -0.0 == 0.0; keys in any order."""
    if isinstance(expected, Approximate):
        return isinstance(shown, str) and repr(float(shown)) == repr(float(expected))
    return json.dumps(expected, sort_keys=True) == json.dumps(shown, sort_keys=True)


def near(expected: Any, shown: Any) -> bool:
    """Compare values that were converted: numbers by their value, a cost to its last decimal."""
    if isinstance(expected, str | Approximate | None):
        return same(expected, shown)
    return isinstance(shown, int | float) and math.isclose(expected, shown, rel_tol=1e-14, abs_tol=COST_STEP)


def where_set(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def time_text(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
