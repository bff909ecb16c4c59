"""What happened in this trace? All its spans, or where each of them stands; and some spans, whole, by their keys."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.conf import settings

from analytics.attributes import json_text
from analytics.gpu_json import Words
from analytics.queries.conditions import Conditions
from analytics.queries.holders import with_held_gpus
from analytics.queries.prices import cost_of
from analytics.queries.registered import registered
from analytics.queries.resources import resource_texts
from analytics.queries.summaries import SUMMARY_COLUMNS, TraceSummary, summarize
from analytics.span_costs import span_costs
from analytics.span_detail import detail_columns
from analytics.span_json import span_members, with_cost
from analytics.span_rows import CANONICAL_COLUMNS, GPU_SET_IN_REGISTRY
from analytics.times import nanoseconds_of
from analytics.tree import Places
from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.errors import QueryTooLarge
from axonize.clickhouse.gpu_times import held_by_resource
from axonize.clickhouse.json_rows import JsonRows, query_json

MAX_SPANS: Final = 100_000
# An answer's rows before they become JSON, which takes a few times as much.
MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
# Of how many spans the values are in memory one by one.
SPANS_AT_ONCE: Final = 500

PLACE_COLUMNS: Final = """
    hex(trace_id) AS trace_hex, hex(span_id) AS span_hex, hex(parent_span_id) AS parent_hex, start_time, end_time
"""
WHOLE_COLUMNS: Final = f"""
    hex(span_id) AS span_hex, hex(parent_span_id) AS parent_hex, start_time, end_time, name, status,
    hex(resource_id) AS resource_hex, {", ".join(CANONICAL_COLUMNS)}, detail,
    arrayMap(
        uuid -> dictGet('registry', {GPU_SET_IN_REGISTRY}, ({{tenant:String}}, toString(uuid))),
        gpus.resource_uuid) AS set_texts
"""
# Spans of one id at one time, which happen where one is sent twice, are told apart by their names; their numbers stay.
PLACE_ORDER: Final = ("start_time", "trace_id", "span_id", "end_time", "name")

# What the trace pays for each resource, of those that have a price; see analytics.span_costs.
_GPU_COSTS: Final = f"""
    arrayFilter(priced -> priced.2 IS NOT NULL, arrayMap(
        one -> (toString(one.resource_uuid), {cost_of("one.resource_uuid", "one.held_ns")}),
        {held_by_resource("groupUniqArrayArray(gpu_time)")}))"""
_COSTS_ONCE: Final = "if(rowNumberInAllBlocks() = 0, held.3, []) AS gpu_costs"
# PREWHERE by hand, which spares the planning that ClickHouse's own choice costs.
_OF_TRACE: Final = f"""
WITH
    toFixedString(unhex({{trace_id:String}}), 16) AS id,
    (
        SELECT (min(start_time), max(end_time), {_GPU_COSTS})
        FROM traces
        WHERE tenant = {{tenant:String}} AND trace_id = id
    ) AS held
SELECT COLUMNS_ASKED_FOR
FROM spans
PREWHERE tenant = {{tenant:String}} AND trace_id = id AND start_time >= held.1 AND start_time <= held.2
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


class TooManySpans(QueryTooLarge):
    """The trace has more than MAX_SPANS spans."""


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
    rows = read_trace(f"{WHOLE_COLUMNS}, {_COSTS_ONCE}", tenant=tenant, trace_id=trace_id)
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
    gpu_costs = _gpu_costs(columns["gpu_costs"])
    for at, cost_usd in span_costs(columns["gpus"], columns["cost_usd"], places, gpu_costs).items():
        members[at] = with_cost(members[at], cost_usd)
    return WholeTrace(
        summarize(trace_id, columns, places, sum(gpu_costs.values()) if gpu_costs else None), places, members
    )


def read_trace(
    columns: str, *, tenant: str, trace_id: str, parameters: Mapping[str, object] | None = None, order: str = ""
) -> JsonRows:
    """Read columns of all spans of a trace; `parameters` are what they bind. One query.

    Raises TooManySpans, QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    max_rows = min(MAX_SPANS, settings.QUERY_MAX_RESULT_ROWS)
    sql = _OF_TRACE.replace("COLUMNS_ASKED_FOR", columns)
    try:
        return query_json(
            f"{sql} ORDER BY {order}" if order else sql,
            {**(parameters or {}), "tenant": tenant, "trace_id": trace_id},
            # for so few rows a second thread is more work than help
            settings={"max_result_rows": max_rows, "max_result_bytes": MAX_ANSWER_BYTES, "max_threads": 1},
        )
    except QueryTooLarge as error:
        if _span_count(tenant, trace_id) > MAX_SPANS:
            raise TooManySpans(str(error)) from error
        raise


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


def places_of(columns: Mapping[str, Sequence[bytes]]) -> Places:
    """Return where the spans stand whose rows of PLACE_COLUMNS these are."""
    return Places(
        span_ids=[text.lower() for text in columns["span_hex"]],
        parent_ids=[text.lower() for text in columns["parent_hex"]],
        start_ns=nanoseconds_of(columns["start_time"]),
        end_ns=nanoseconds_of(columns["end_time"]),
    )


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


def _gpu_costs(texts: Iterable[bytes]) -> dict[bytes, float]:
    """Return what the trace pays for each resource, whose uuids are JSON texts, as one of its rows says."""
    return {json_text(uuid).encode(): cost for text in texts if text != b"[]" for uuid, cost in json.loads(text)}


def _span_count(tenant: str, trace_id: str) -> int:
    (row,) = clickhouse.query(
        """
        SELECT sum(span_count) AS spans
        FROM traces
        WHERE tenant = {tenant:String} AND trace_id = toFixedString(unhex({trace_id:String}), 16)
        """,
        {"tenant": tenant, "trace_id": trace_id},
    )
    spans: int = row["spans"]
    return spans
