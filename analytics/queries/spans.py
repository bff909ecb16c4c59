"""What happened in this trace? Its spans, whole, or just where each stands; found by the trace's own time range."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from analytics.attributes import ATTRIBUTE_COLUMNS, merge
from analytics.queries.filters import Conditions
from analytics.queries.summaries import TraceSummary
from analytics.span_rows import SPAN_COLUMNS, Span, parent_of, span_of
from axonize.clickhouse import client as clickhouse

MAX_SPANS: Final = 100_000
# An answer's rows before they become Python objects, which take a few times as much.
MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
RESOURCES_PER_QUERY: Final = 1000


@dataclass(frozen=True)
class Place:
    """Where a span stands. Ids are lower-case hex, times nanoseconds; `wanted` says whether it satisfies the filter."""

    span_id: str
    parent_span_id: str | None
    start_ns: int
    end_ns: int
    wanted: bool = True


@dataclass(frozen=True)
class SpanMatch:
    """What the spans of a page must satisfy; None does not ask."""

    service_name: str | None = None
    model_name: str | None = None
    status: str | None = None
    name: str | None = None


def places(*, tenant: str, trace: TraceSummary, match: SpanMatch) -> list[Place]:
    """Return where each span of the trace stands, at most MAX_SPANS of them, by start, then span id. One query."""
    wanted = Conditions(["true"])
    for column in ("service_name", "model_name", "name"):
        value = getattr(match, column)
        if value is not None:
            wanted.add(f"{column} = {{{column}:String}}", **{column: value})
    if match.status is not None:
        wanted.add("toString(status) = {status:String}", status=match.status)
    rows = _query_trace(
        f"""
        lower(hex(span_id)) AS id,
        lower(hex(parent_span_id)) AS parent_id,
        {" AND ".join(wanted.sql)} AS wanted
        """,
        trace,
        {**wanted.parameters, "tenant": tenant},
    )
    return [Place(row["id"], parent_of(row), row["start_ns"], row["end_ns"], bool(row["wanted"])) for row in rows]


def whole_spans(*, tenant: str, trace: TraceSummary, span_ids: Sequence[str] | None = None) -> list[Span]:
    """Return the trace's spans, or those of these ids (at most a page), by start, then span id.

    One query, and one for every RESOURCES_PER_QUERY resources that sent them.
    """
    parameters: dict[str, object] = {"tenant": tenant}
    condition = ""
    if span_ids is not None:
        condition = "AND span_id IN (SELECT toFixedString(unhex(arrayJoin({span_ids:Array(String)})), 8))"
        parameters["span_ids"] = list(span_ids)
    rows = _query_trace(SPAN_COLUMNS, trace, parameters, condition)
    resources = _resources(tenant, sorted({row["resource_hex"] for row in rows}))
    return [span_of(row, resources.get(row["resource_hex"], {})) for row in rows]


def _query_trace(
    columns: str, trace: TraceSummary, parameters: Mapping[str, object], condition: str = ""
) -> list[dict[str, Any]]:
    return clickhouse.query(
        f"""
        SELECT
            toUnixTimestamp64Nano(start_time) AS start_ns,
            toUnixTimestamp64Nano(end_time) AS end_ns,
            {columns}
        FROM spans
        WHERE tenant = {{tenant:String}}
            AND trace_id = toFixedString(unhex({{trace_id:String}}), 16)
            AND start_time >= fromUnixTimestamp64Nano({{trace_start_ns:Int64}}, 'UTC')
            AND start_time <= fromUnixTimestamp64Nano({{trace_end_ns:Int64}}, 'UTC')
            {condition}
        ORDER BY start_time, span_id, end_time, name
        """,
        {**parameters, "trace_id": trace.trace_id, "trace_start_ns": trace.start_ns, "trace_end_ns": trace.end_ns},
        settings={
            "max_result_rows": min(MAX_SPANS, settings.QUERY_MAX_RESULT_ROWS),
            "max_result_bytes": MAX_ANSWER_BYTES,
        },
    )


def _resources(tenant: str, resource_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the attributes of each resource by its id in hex."""
    found: dict[str, dict[str, Any]] = {}
    for begin in range(0, len(resource_ids), RESOURCES_PER_QUERY):
        rows = clickhouse.query(
            f"""
            SELECT lower(hex(resource_id)) AS id, {ATTRIBUTE_COLUMNS}
            FROM resources
            WHERE tenant = {{tenant:String}}
                AND resource_id IN (SELECT toFixedString(unhex(arrayJoin({{resource_ids:Array(String)}})), 16))
            LIMIT 1 BY resource_id
            """,
            {"tenant": tenant, "resource_ids": list(resource_ids[begin : begin + RESOURCES_PER_QUERY])},
            settings={"max_result_bytes": MAX_ANSWER_BYTES},
        )
        found.update((row["id"], merge(row)) for row in rows)
    return found
