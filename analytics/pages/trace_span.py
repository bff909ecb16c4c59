"""A span as its panel shows it."""

from dataclasses import dataclass
from typing import Any, Final

from analytics.attributes import json_text
from analytics.params import MAX_TEXT_LENGTH
from analytics.queries.one_span import OneSpan
from analytics.times import NS_PER_MS, parse_time

LONG_TEXT: Final = 160
"""From how many characters on a value is folded."""

_LABELS: Final = {
    "service_name": "Service",
    "service_version": "Version",
    "environment": "Environment",
    "host": "Host",
    "pod": "Pod",
    "pid": "Process",
    "model_name": "Model",
    "model_version": "Model version",
    "provider": "Provider",
    "inference_type": "Inference",
    "batch_size": "Batch size",
    "diffusion_steps": "Diffusion steps",
    "cfg_scale": "CFG scale",
    "energy_wh": "Energy, Wh",
    "request_id": "Request",
    "user_id": "User",
    "session_id": "Session",
    "trace_state": "Trace state",
    "flags": "Flags",
    "dropped_attributes_count": "Attributes dropped by the sender",
    "dropped_events_count": "Events dropped by the sender",
    "dropped_links_count": "Links dropped by the sender",
}
_NUMBERS: Final = (
    ("tokens_input", "Tokens in", "count"),
    ("tokens_output", "Tokens out", "count"),
    ("tokens_cached", "Tokens cached", "count"),
    ("tokens_per_second", "Tokens a second", "per_second"),
    ("ttft_ms", "Time to first token", "ms"),
    ("queue_ms", "In the queue", "ms"),
    ("prefill_ms", "Prefill", "ms"),
    ("decode_ms", "Decode", "ms"),
    ("inference_ms", "Inference", "ms"),
)
_READINGS: Final = (
    ("utilization", "Utilization", "percent"),
    ("memory_used_gb", "Memory used", "gib"),
    ("memory_total_gb", "Memory", "gib"),
    ("power_watts", "Power", "watts"),
    ("temperature_celsius", "Temperature", "celsius"),
    ("clock_mhz", "Clock", "mhz"),
)
_ZERO_WHERE_UNKNOWN: Final = ("utilization", "memory_used_gb", "temperature_celsius", "power_watts", "clock_mhz")
# The filters of the list of traces that take a field of a span
_FILTERS: Final = frozenset({"service_name", "environment", "model_name"})
# OpenTelemetry's name of what makes an event readable as an exception
_STACK: Final = "exception.stacktrace"


@dataclass(frozen=True)
class Attribute:
    """A key and its value as text; `filter` is the parameter of the list of traces that finds those with the same."""

    key: str
    text: str
    is_text: bool
    filter: str

    @property
    def is_long(self) -> bool:
        return len(self.text) > LONG_TEXT or "\n" in self.text

    @property
    def beginning(self) -> str:
        return f"{self.text[:LONG_TEXT]} …"


def span_context(found: OneSpan) -> dict[str, Any]:
    """Return what trace_span.html shows."""
    shown = found.shown
    return {
        "found": found,
        "span": shown,
        "duration_ns": found.end_ns - found.start_ns,
        "after_ns": found.start_ns - found.trace_start_ns,
        "numbers": [(label, shown[name], unit) for name, label, unit in _NUMBERS if shown.get(name) is not None],
        "fields": [
            (label, shown[name], name if name in _FILTERS else "")
            for name, label in _LABELS.items()
            if shown.get(name) is not None
        ],
        "gpus": [_gpu(gpu) for gpu in shown["gpus"]],
        "attributes": attributes_of(shown["attributes"]),
        "resource": attributes_of(shown["resource"]),
        "scope_attributes": attributes_of(shown["scope"].get("attributes", {})),
        "events": [_event(event, found.start_ns) for event in shown["events"]],
        "links": [{**link, "shown": attributes_of(link["attributes"])} for link in shown["links"]],
    }


def attributes_of(values: dict[str, Any]) -> list[Attribute]:
    """Return them by key."""
    return [_attribute(key, values[key]) for key in sorted(values)]


def _attribute(key: str, value: Any) -> Attribute:
    text = value if isinstance(value, str) else json_text(value)
    can_be_asked = key != "" and max(len(key), len(text)) <= MAX_TEXT_LENGTH and "\0" not in key + text
    # An empty value in an address is no value there
    return Attribute(key, text, isinstance(value, str), f"attr.{key}" if can_be_asked and text else "")


def _gpu(gpu: dict[str, Any]) -> dict[str, Any]:
    readings = [(label, gpu[name], unit) for name, label, unit in _READINGS if gpu.get(name) is not None]
    # A snapshot of zeros means unknown, see docs/conventions.md.
    is_unknown = bool(readings) and all(gpu.get(name) == 0 for name in _ZERO_WHERE_UNKNOWN)
    return {**gpu, "readings": readings, "is_unknown": is_unknown}


def _event(event: dict[str, Any], start_ns: int) -> dict[str, Any]:
    attributes = dict(event["attributes"])
    stack = attributes.pop(_STACK, "")
    return {
        **event,
        "after_ms": _after_ms(event["time"], start_ns),
        "stack": stack,
        "shown": attributes_of(attributes),
    }


def _after_ms(time: str, start_ns: int) -> float | None:
    """Return how long after the start an event was, None where its time is beyond what is one."""
    try:
        return (parse_time(time) - start_ns) / NS_PER_MS
    except ValueError:
        return None
