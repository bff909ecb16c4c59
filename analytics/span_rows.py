"""One span: the columns of `spans` that make it, and how a row of them becomes the values that the API shows."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from analytics.attributes import ATTRIBUTE_COLUMNS, decode_key_values, merge
from analytics.times import format_time

NO_PARENT: Final = "0" * 16

# Columns that appear on a span under their own names where they are set, and their Python types.
CANONICAL: Final[dict[str, type]] = {
    **dict.fromkeys(("service_name", "service_version", "environment", "host", "pod"), str),
    "pid": int,
    **dict.fromkeys(("model_name", "model_version", "provider", "inference_type"), str),
    **dict.fromkeys(("tokens_input", "tokens_output", "tokens_cached"), int),
    **dict.fromkeys(("tokens_per_second", "ttft_ms", "queue_ms", "prefill_ms", "decode_ms", "inference_ms"), float),
    **dict.fromkeys(("batch_size", "diffusion_steps"), int),
    **dict.fromkeys(("cfg_scale", "cost_usd", "energy_wh"), float),
    **dict.fromkeys(("request_id", "user_id", "session_id"), str),
}
# The same, of OTLP's own; set is what is neither empty nor zero.
PROTOCOL: Final[dict[str, type]] = {
    "trace_state": str,
    **dict.fromkeys(("flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count"), int),
}
# A GPU's texts that the registry knows where the span left them empty.
GPU_FROM_REGISTRY: Final = ("physical_uuid", "model", "vendor", "node_id", "resource_type")
GPU_TEXTS: Final = ("resource_uuid", "physical_uuid", "user_label", "model", "vendor", "node_id", "resource_type")
GPU_READINGS: Final = (
    "utilization",
    "memory_used_gb",
    "memory_total_gb",
    "temperature_celsius",
    "power_watts",
    "clock_mhz",
)
GPU_FIELDS: Final = (*GPU_TEXTS, *GPU_READINGS)
# Readings that the conventions have as integers; the column is a double, so that 312.5 W is kept too.
GPU_INTEGERS: Final = frozenset({"temperature_celsius", "power_watts", "clock_mhz"})


@dataclass(frozen=True)
class Span:
    """A span as the API shows it: `fields` are the canonical and protocol columns that are set, values are JSON."""

    span_id: str
    parent_span_id: str | None
    start_ns: int
    end_ns: int
    name: str
    kind: str
    status: str
    status_message: str
    fields: dict[str, Any]
    attributes: dict[str, Any]
    gpus: list[dict[str, Any]]
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]
    resource: dict[str, Any]
    scope: dict[str, Any]


# What is taken to be so where neither the span nor the registry says otherwise (docs/conventions.md).
GPU_GUESSES: Final = {"vendor": "'NVIDIA'", "resource_type": "if(resource = physical, 'full_gpu', 'mig')"}


def _gpu_column(field: str) -> str:
    """Return the SQL of a field of all GPUs of a span: what it sent, else the registry's word, else what is usual."""
    if field not in GPU_FROM_REGISTRY:
        return f"gpus.{field} AS gpu_{field}"
    registered = f"dictGet('registry', '{field}', ({{tenant:String}}, resource))"
    guess = f"if(resource = '', '', {GPU_GUESSES[field]})" if field in GPU_GUESSES else "''"
    physical = "gpus.physical_uuid" if field == "physical_uuid" else "gpu_physical_uuid"
    return f"""
        arrayMap(
            (sent, resource, physical) -> multiIf(sent != '', sent, {registered} != '', {registered}, {guess}),
            gpus.{field}, gpus.resource_uuid, {physical}
        ) AS gpu_{field}"""


_GPU_COLUMNS: Final = ", ".join(_gpu_column(field) for field in GPU_FIELDS)
# What span_of reads from `spans`; binds `tenant`.
SPAN_COLUMNS: Final = f"""
    lower(hex(span_id)) AS id,
    lower(hex(parent_span_id)) AS parent_id,
    toString(kind) AS kind_text,
    toString(status) AS status_text,
    status_message, name, {", ".join(CANONICAL)}, {", ".join(PROTOCOL)}, {ATTRIBUTE_COLUMNS},
    lower(hex(resource_id)) AS resource_hex,
    scope_name, scope_version, arrayMap(pair -> hex(pair), scope_attributes) AS scope_pairs,
    events.time_unix_nano AS event_times,
    events.name AS event_names,
    arrayMap(pairs -> arrayMap(pair -> hex(pair), pairs), events.attributes) AS event_pairs,
    events.dropped_attributes_count AS event_dropped,
    arrayMap(link -> lower(hex(link)), links.trace_id) AS link_trace_ids,
    arrayMap(link -> lower(hex(link)), links.span_id) AS link_span_ids,
    links.trace_state AS link_trace_states,
    arrayMap(pairs -> arrayMap(pair -> hex(pair), pairs), links.attributes) AS link_pairs,
    links.dropped_attributes_count AS link_dropped,
    links.flags AS link_flags,
    {_GPU_COLUMNS}
"""


def span_of(row: Mapping[str, Any], resource: dict[str, Any]) -> Span:
    """Return the span of a row that was read with SPAN_COLUMNS, `start_ns` and `end_ns`."""
    canonical = {column: _number(row[column]) for column in CANONICAL}
    fields = {column: value for column, value in canonical.items() if value is not None and value != ""}
    fields.update((column, row[column]) for column in PROTOCOL if row[column])
    return Span(
        span_id=row["id"],
        parent_span_id=parent_of(row),
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        name=row["name"],
        kind=row["kind_text"],
        status=row["status_text"],
        status_message=row["status_message"],
        fields=fields,
        attributes=merge(row),
        gpus=_gpus(row),
        events=[
            {"time": format_time(time), "name": name, "attributes": _decode(pairs)}
            | ({"dropped_attributes_count": dropped} if dropped else {})
            for time, name, pairs, dropped in zip(
                row["event_times"], row["event_names"], row["event_pairs"], row["event_dropped"], strict=True
            )
        ],
        links=_links(row),
        resource=resource,
        scope={"name": row["scope_name"], "version": row["scope_version"]}
        | ({"attributes": _decode(row["scope_pairs"])} if row["scope_pairs"] else {}),
    )


def _gpus(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each attribution with all its fields, null where neither the span nor the registry knows."""
    columns = [row[f"gpu_{field}"] for field in GPU_FIELDS]
    return [
        {field: _gpu_value(field, value) for field, value in zip(GPU_FIELDS, values, strict=True)}
        for values in zip(*columns, strict=True)
    ]


def _gpu_value(field: str, value: Any) -> Any:
    """Return null for what is not known, and an integer again for what emitters send as one."""
    if value == "":
        return None
    return int(value) if field in GPU_INTEGERS and value is not None and value.is_integer() else value


def _links(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    ids = zip(row["link_trace_ids"], row["link_span_ids"], row["link_pairs"], strict=True)
    links: list[dict[str, Any]] = [
        {"trace_id": trace_id, "span_id": span_id, "attributes": _decode(pairs)} for trace_id, span_id, pairs in ids
    ]
    for name, column in (
        ("trace_state", "link_trace_states"),
        ("dropped_attributes_count", "link_dropped"),
        ("flags", "link_flags"),
    ):
        for link, value in zip(links, row[column], strict=True):
            if value:
                link[name] = value
    return links


def _decode(pairs: Iterable[str]) -> dict[str, Any]:
    return decode_key_values(bytes.fromhex(pair) for pair in pairs)


def parent_of(row: Mapping[str, Any]) -> str | None:
    """Return the parent's id as it was sent, None where none was."""
    return None if row["parent_id"] == NO_PARENT else row["parent_id"]


def _number(value: Any) -> Any:
    """Return a number that JSON can hold, None for one that it can't; anything else as it is."""
    if isinstance(value, Decimal):
        return float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
