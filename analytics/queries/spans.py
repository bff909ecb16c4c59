"""What happened in this trace? All its spans, or where each of them stands; and some spans, whole, by their keys."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from analytics.gpu_json import Words
from analytics.queries.conditions import Conditions
from analytics.queries.holders import with_held_gpus
from analytics.queries.registered import registered
from analytics.queries.resources import resource_texts
from analytics.queries.summaries import SUMMARY_COLUMNS, TraceSummary, summarize
from analytics.queries.trace_rows import GPU_COSTS, MAX_ANSWER_BYTES, gpu_costs_of, places_of, read_trace
from analytics.span_costs import span_costs
from analytics.span_detail import detail_columns
from analytics.span_json import span_members, with_cost
from analytics.span_rows import CANONICAL_COLUMNS, GPU_SET_IN_REGISTRY
from analytics.tree import Places
from axonize.clickhouse.json_rows import query_json

# Of how many spans the values are in memory one by one.
SPANS_AT_ONCE: Final = 500

WHOLE_COLUMNS: Final = f"""
    hex(span_id) AS span_hex, hex(parent_span_id) AS parent_hex, start_time, end_time, name, status,
    hex(resource_id) AS resource_hex, {", ".join(CANONICAL_COLUMNS)}, detail,
    arrayMap(
        uuid -> dictGet({{registry:String}}, {GPU_SET_IN_REGISTRY}, ({{tenant:String}}, toString(uuid))),
        gpus.resource_uuid) AS set_texts
"""
_OF_KEYS: Final = """(start_time, trace_id, span_id) IN (
    SELECT
        parseDateTime64BestEffort(key.1, 9, 'UTC'),
        toFixedString(unhex(key.2), 16),
        toFixedString(unhex(key.3), 8)
    FROM
    (
        SELECT arrayJoin(arrayZip(
            {start_times:Array(String)}, {trace_ids:Array(String)}, {span_ids:Array(String)})) AS key
    ))"""


@dataclass(frozen=True)
class WholeTrace:
    """A trace: its summary, where its spans stand, and the members of each one's JSON object, but for self_time_ms."""

    summary: TraceSummary
    places: Places
    members: list[bytes]


class SpanKey(NamedTuple):
    """What tells spans of a tenant apart, but for those that were sent twice; JSON texts of their rows."""

    start_time: bytes
    trace_id: bytes
    span_id: bytes
    end_time: bytes


def whole_trace(*, tenant: str, trace_id: str) -> WholeTrace | None:
    """Return the trace of this id (lower-case hex), None where there is none.

    One query, one more where it was sent by resources that were not asked for lately, and one where spans left out what
    the registry may know of their GPUs; one statement where spans name no GPU.
    Raises TooManySpans, QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    rows = read_trace(f"{WHOLE_COLUMNS}, {GPU_COSTS}", tenant=tenant, trace_id=trace_id)
    if not len(rows):
        return None
    places, members, ask_registry = Places(), list[bytes](), _registry_of(tenant)
    columns: dict[str, list[bytes]] = {name: [] for name in (*SUMMARY_COLUMNS, "gpu_costs")}
    for begin in range(0, len(rows), SPANS_AT_ONCE):
        some = _with_details(rows.columns(begin, begin + SPANS_AT_ONCE))
        places_of_some = places_of(some)
        places.extend(places_of_some)
        members += _members(some, places_of_some, tenant, ask_registry)
        for name in columns:
            columns[name] += some[name]
    members = with_held_gpus(members, places.start_ns, tenant=tenant)
    gpu_costs = gpu_costs_of(columns["gpu_costs"])
    for at, cost_usd in span_costs(columns["gpus"], columns["cost_usd"], places, gpu_costs).items():
        members[at] = with_cost(members[at], cost_usd)
    return WholeTrace(
        summarize(trace_id, columns, places, sum(gpu_costs.values()) if gpu_costs else None), places, members
    )


def spans_by_key(
    keys: Iterable[SpanKey], *, tenant: str, matching: Conditions, order: str, label: str = "0"
) -> dict[tuple[SpanKey, bytes], list[bytes]]:
    """Return the members of the JSON objects, all but self_time_ms, of the spans of these keys that match.

    They are by key and by `label`, the JSON text of an expression that tells spans of one key apart; in `order`.
    Queries as of whole_trace. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    asked = sorted(set(keys))
    rows = query_json(
        f"""
        SELECT {label} AS label, hex(trace_id) AS trace_hex, {WHOLE_COLUMNS}
        FROM spans
        PREWHERE tenant = {{tenant:String}} AND {_OF_KEYS}
        WHERE {matching.where()}
        ORDER BY {order}
        """,
        {
            **matching.parameters,
            "tenant": tenant,
            "start_times": [text_of(key.start_time) for key in asked],
            "trace_ids": [text_of(key.trace_id) for key in asked],
            "span_ids": [text_of(key.span_id) for key in asked],
        },
        settings={"max_result_bytes": MAX_ANSWER_BYTES},
    )
    labelled, members, start_ns = list[tuple[SpanKey, bytes]](), list[bytes](), list[int]()
    ask_registry = _registry_of(tenant)
    for begin in range(0, len(rows), SPANS_AT_ONCE):
        some = _with_details(rows.columns(begin, begin + SPANS_AT_ONCE))
        places = places_of(some)
        members += _members(some, places, tenant, ask_registry)
        start_ns += places.start_ns
        labelled += zip(keys_of(some), some["label"], strict=True)
    found: dict[tuple[SpanKey, bytes], list[bytes]] = {}
    for key_and_label, one in zip(labelled, with_held_gpus(members, start_ns, tenant=tenant), strict=True):
        found.setdefault(key_and_label, []).append(one)
    return found


def keys_of(columns: Mapping[str, Sequence[bytes]]) -> list[SpanKey]:
    """Return the key of each row of PLACE_COLUMNS."""
    names = ("start_time", "trace_hex", "span_hex", "end_time")
    return [SpanKey(*texts) for texts in zip(*(columns[name] for name in names), strict=True)]


def text_of(text: bytes) -> str:
    """Return what the JSON text of an id or a time says."""
    return text.decode().strip('"')


def _with_details(columns: Mapping[str, list[bytes]]) -> dict[str, list[bytes]]:
    return {**columns, **detail_columns(columns["detail"])}


def _members(
    columns: Mapping[str, Sequence[bytes]], places: Places, tenant: str, ask_registry: Callable[[set[str]], Words]
) -> list[bytes]:
    resources = resource_texts(tenant=tenant, resource_ids=columns["resource_hex"])
    return span_members(columns, places, resources=resources, ask_registry=ask_registry)


def _registry_of(tenant: str) -> Callable[[set[str]], Words]:
    """Return what asks the registry of resources, of each once."""
    known: dict[str, Mapping[str, str]] = {}

    def ask(resource_uuids: set[str]) -> Words:
        known.update(registered(tenant=tenant, resource_uuids=resource_uuids - known.keys()))
        return known

    return ask
