"""Which spans and traces are meant: the filters of the API as conditions on the tables that hold the answers."""

from dataclasses import dataclass, field
from typing import Final

from analytics.queries.attribute_search import attribute_conditions
from analytics.queries.conditions import Conditions

STATUSES: Final = ("ok", "error", "unset")


@dataclass(frozen=True)
class SpanFilter:
    """What one span must satisfy, all of it; None does not ask. `attributes` are (key, value's text) pairs."""

    service_name: str | None = None
    environment: str | None = None
    name: str | None = None
    model_name: str | None = None
    resource_uuid: str | None = None
    physical_uuid: str | None = None
    node_id: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TraceFilter:
    """What a whole trace must satisfy, times and durations in nanoseconds, and what one span of it must."""

    start_ns: int | None = None
    end_ns: int | None = None
    status: str | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    span: SpanFilter = field(default_factory=SpanFilter)


def facet_conditions(wanted: SpanFilter) -> Conditions:
    """Return the conditions on a row of `span_facets`, none for attributes; `tenant` is left for the caller to bind."""
    conditions = Conditions()
    for column in ("service_name", "environment", "name", "model_name"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.add(f"{column} = {{{column}:String}}", **{column: value})
    if wanted.resource_uuid is not None:
        conditions.add("has(resource_uuids, {resource_uuid:String})", resource_uuid=wanted.resource_uuid)
    for column in ("physical_uuid", "node_id"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.add(_gpu_condition(column), **{column: value})
    return conditions


def span_conditions(wanted: SpanFilter, *, tenant: str) -> Conditions:
    """Return the conditions on a row of `spans`; they bind `tenant` too, which the caller provides.

    Asks one query where there are attributes.
    """
    facets = facet_conditions(wanted)
    conditions = Conditions(parameters=facets.parameters)
    if facets.sql:
        conditions.add(f"facet IN ({facets_sql(facets)})")
    conditions.extend(attribute_conditions(tenant, wanted.attributes))
    return conditions


def trace_conditions(wanted: TraceFilter, *, tenant: str) -> Conditions:
    """Return the conditions on a row of `trace_summaries`; they bind `tenant` too, which the caller provides.

    Asks one query where there are attributes.
    """
    conditions = range_conditions(wanted.start_ns, wanted.end_ns)
    if wanted.status is not None:
        conditions.add("status = {status:String}", status=wanted.status)
    if wanted.min_duration_ns is not None:
        conditions.add("duration_ns >= {min_duration_ns:Int64}", min_duration_ns=wanted.min_duration_ns)
    if wanted.max_duration_ns is not None:
        conditions.add("duration_ns <= {max_duration_ns:Int64}", max_duration_ns=wanted.max_duration_ns)
    if wanted.span.attributes:
        one_span = span_conditions(wanted.span, tenant=tenant)
        if wanted.start_ns is not None:
            # no span starts before its trace; this leaves out the days that cannot matter
            one_span.add("start_time >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')")
        spans = " AND ".join(["tenant = {tenant:String}", *one_span.sql])
        conditions.add(f"trace_id IN (SELECT trace_id FROM spans WHERE {spans})", **one_span.parameters)
    else:
        facets = facet_conditions(wanted.span)
        if facets.sql:
            conditions.add(f"shape IN ({shapes_sql(facets)})", **facets.parameters)
    return conditions


def range_conditions(start_ns: int | None, end_ns: int | None) -> Conditions:
    """Return the conditions for start_time in [start_ns, end_ns)."""
    conditions = Conditions()
    if start_ns is not None:
        conditions.add("start_time >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')", start_ns=start_ns)
    if end_ns is not None:
        conditions.add("start_time < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')", end_ns=end_ns)
    return conditions


def facets_sql(conditions: Conditions) -> str:
    """Return the SELECT of the facets that satisfy conditions on `span_facets`."""
    return f"SELECT facet FROM span_facets WHERE {' AND '.join(['tenant = {tenant:String}', *conditions.sql])}"


def shapes_sql(conditions: Conditions) -> str:
    """Return the SELECT of the shapes with a facet that satisfies conditions on `span_facets`."""
    return f"""
        SELECT shape
        FROM trace_shapes
        ARRAY JOIN facets AS one_facet
        WHERE tenant = {{tenant:String}} AND one_facet IN ({facets_sql(conditions)})"""


def _gpu_condition(column: str) -> str:
    """Return the condition that a GPU of the span has this; where the span says nothing, the registry's word counts."""
    return f"""(has({column}s, {{{column}:String}}) OR arrayExists(
        (sent, resource) -> sent = '' AND resource IN (
            SELECT resource_uuid
            FROM dictionary('registry')
            WHERE tenant = {{tenant:String}} AND {column} = {{{column}:String}}),
        {column}s, resource_uuids))"""
