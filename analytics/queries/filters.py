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
class TimedFilter:
    """What a whole trace must satisfy, and one span of it; or, of spans, what each must satisfy, all of it.

    Times and durations are in nanoseconds; None does not ask.
    """

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


def trace_conditions(wanted: TimedFilter, *, tenant: str) -> Conditions:
    """Return the conditions on a row of `trace_summaries`; they bind `tenant` too, which the caller provides.

    Asks one query where there are attributes.
    """
    conditions = own_conditions(wanted)
    if wanted.span.attributes:
        one_span = span_conditions(wanted.span, tenant=tenant)
        # No span starts before its trace, and none after its end: the days that cannot matter are left out. Who knows
        # that only later traces matter binds a later spans_start_ns (analytics.queries.traces).
        one_span.add(
            "start_time >= fromUnixTimestamp64Nano({spans_start_ns:Int64}, 'UTC')", spans_start_ns=wanted.start_ns or 0
        )
        if wanted.end_ns is not None:
            ends = f"SELECT max(end_time) FROM trace_summaries WHERE {conditions.where()}"
            one_span.add(f"start_time <= ({ends})")
        in_spans = f"trace_id IN (SELECT trace_id FROM spans WHERE {one_span.where()})"
        conditions.add(in_spans, **one_span.parameters)
    else:
        facets = facet_conditions(wanted.span)
        if facets.sql:
            gpu = (wanted.span.resource_uuid, wanted.span.physical_uuid, wanted.span.node_id)
            of_gpus = any(value is not None for value in gpu)
            conditions.add(_in_shapes(facets) if of_gpus else _in_flows(facets), **facets.parameters)
    return conditions


def own_conditions(wanted: TimedFilter) -> Conditions:
    """Return the conditions on a row of `trace_summaries` or `spans` by its own time, status and duration."""
    conditions = range_conditions(wanted.start_ns, wanted.end_ns)
    if wanted.status is not None:
        conditions.add("status = {status:String}", status=wanted.status)
    if wanted.min_duration_ns is not None:
        conditions.add("duration_ns >= {min_duration_ns:UInt64}", min_duration_ns=wanted.min_duration_ns)
    if wanted.max_duration_ns is not None:
        conditions.add("duration_ns <= {max_duration_ns:UInt64}", max_duration_ns=wanted.max_duration_ns)
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
    return f"SELECT facet FROM span_facets WHERE {conditions.where()}"


def _in_shapes(facets: Conditions) -> str:
    return f"""shape IN (
        SELECT shape FROM facet_shapes WHERE tenant = {{tenant:String}} AND facet IN ({facets_sql(facets)}))"""


def _in_flows(facets: Conditions) -> str:
    """Return the same for a filter that asks for no GPU, in terms of which there is less to look up."""
    operations = f"SELECT operation FROM span_facets WHERE {facets.where()}"
    return f"""flow IN (
        SELECT flow FROM operation_flows WHERE tenant = {{tenant:String}} AND operation IN ({operations}))"""


def _gpu_condition(column: str) -> str:
    """Return the condition that a GPU of the span has this: as operators set it, else the span says, else is known."""
    return f"""arrayExists(
        (sent, resource) ->
            if(
                sent = '' OR resource IN (
                    SELECT resource_uuid
                    FROM dictionary({{registry:String}})
                    WHERE tenant = {{tenant:String}} AND set_{column} != ''),
                resource IN (
                    SELECT resource_uuid
                    FROM dictionary({{registry:String}})
                    WHERE tenant = {{tenant:String}} AND {column} = {{{column}:String}}),
                sent = {{{column}:String}}),
        {column}s, resource_uuids)"""
