"""Traces: the list, one as a tree, one as a flat page of spans."""

import json
import re
from typing import Final

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.params import (
    ATTRIBUTES_PARAMETER,
    MillisecondsField,
    PageParameters,
    QueryParameters,
    TextField,
    page_of,
)
from analytics.queries.filters import TraceFilter
from analytics.queries.span_page import span_page
from analytics.queries.spans import MAX_SPANS, SpanMatch, whole_spans
from analytics.queries.summaries import TraceSummary, summarize
from analytics.queries.traces import ORDERS, find_traces
from analytics.serializers import (
    STATUSES,
    SpanPageSerializer,
    TracePageSerializer,
    TraceSerializer,
    TraceSummarySerializer,
    span_json,
    summary_json,
)
from analytics.tenancy import tenant_of
from analytics.tree import arrange, render
from analytics.views.filtering import FilterParameters, span_filter
from axonize.api import READ_ERRORS, TooLarge
from axonize.clickhouse.errors import QueryTooLarge

TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
TRACE_ID_PARAMETER: Final = OpenApiParameter("trace_id", str, OpenApiParameter.PATH, description="32 hex characters.")
TOO_LARGE: Final = "This trace is too large for one answer. Read it page by page from /traces/{trace_id}/spans."
TOO_MANY_SPANS: Final = f"This trace has more than {MAX_SPANS:,} spans, which is more than this server shows."


class TraceListParameters(FilterParameters, PageParameters):
    """What `GET /traces` takes."""

    has_attributes = True

    name = TextField(help_text="The name of any span.")
    status = serializers.ChoiceField(STATUSES, required=False)
    min_duration_ms = MillisecondsField(required=False)
    max_duration_ms = MillisecondsField(required=False)
    order_by = serializers.ChoiceField(
        [f"{sign}{order}" for order in ORDERS for sign in ("", "-")],
        default="-start_time",
        help_text="`-` for descending.",
    )


@extend_schema(
    operation_id="list_traces",
    tags=["traces"],
    parameters=[TraceListParameters, ATTRIBUTES_PARAMETER],
    responses={200: TracePageSerializer, **READ_ERRORS},
)
@api_view(["GET"])
def trace_list(request: Request) -> Response:
    """List traces. Span-level filters choose those in which one span satisfies them all; a summary is of the whole."""
    parameters = TraceListParameters.read(request)
    page = page_of(request, parameters)
    tenant = tenant_of(request)
    wanted = TraceFilter(
        start_ns=parameters.get("start"),
        end_ns=parameters.get("end"),
        status=parameters.get("status"),
        min_duration_ns=parameters.get("min_duration_ms"),
        max_duration_ns=parameters.get("max_duration_ms"),
        span=span_filter(parameters),
    )
    found = find_traces(tenant=tenant, wanted=wanted, order_by=parameters["order_by"], page=page)
    answer = {
        "traces": [summary_json(trace) for trace in found.traces],
        "total": found.total,
        "limit": page.limit,
        "offset": page.offset,
        "next": found.next,
    }
    return Response(answer)


@extend_schema(
    operation_id="get_trace",
    tags=["traces"],
    parameters=[TRACE_ID_PARAMETER],
    responses={200: TraceSerializer, **READ_ERRORS},
)
@api_view(["GET"])
def trace_detail(request: Request, trace_id: str) -> HttpResponse:
    """Show one trace with its spans as a tree. A span whose parent has not arrived is a root."""
    QueryParameters.read(request)
    tenant = tenant_of(request)
    trace = _trace(tenant, trace_id)
    try:
        spans = whole_spans(tenant=tenant, trace=trace)
    except QueryTooLarge as error:
        raise TooLarge(TOO_LARGE) from error
    tree = arrange(spans)
    summary = json.dumps(TraceSummarySerializer(trace).data, ensure_ascii=False)

    def body(at: int) -> str:
        return json.dumps(span_json(spans[at], self_time_ns=tree.self_time_ns[at]), ensure_ascii=False)

    pieces = (f'{summary[:-1]},"spans":', *render(tree, body), "}")
    return HttpResponse("".join(pieces), content_type="application/json")


class TraceSpansParameters(PageParameters):
    """What `GET /traces/{trace_id}/spans` takes; a span must satisfy all of it."""

    service_name = TextField()
    model_name = TextField()
    name = TextField()
    status = serializers.ChoiceField(STATUSES, required=False)


@extend_schema(
    operation_id="list_trace_spans",
    tags=["traces"],
    parameters=[TRACE_ID_PARAMETER, TraceSpansParameters],
    responses={200: SpanPageSerializer, **READ_ERRORS},
)
@api_view(["GET"])
def trace_spans(request: Request, trace_id: str) -> Response:
    """List one trace's spans depth first, parents before their children, siblings by start time."""
    parameters = TraceSpansParameters.read(request)
    page = page_of(request, parameters)
    tenant = tenant_of(request)
    trace = _trace(tenant, trace_id)
    match = SpanMatch(**{name: parameters.get(name) for name in ("service_name", "model_name", "name", "status")})
    found = span_page(tenant=tenant, trace=trace, match=match, page=page)
    spans = [{**span_json(item.span, self_time_ns=item.self_time_ns), "depth": item.depth} for item in found.spans]
    return Response(
        {"spans": spans, "total": found.total, "limit": page.limit, "offset": page.offset, "next": found.next}
    )


def _trace(tenant: str, trace_id: str) -> TraceSummary:
    """Return the trace's summary; raises what the API answers where there is none, or one that is too large."""
    if not TRACE_ID.fullmatch(trace_id.lower()):
        raise ValidationError({"trace_id": "Give the trace id as 32 hexadecimal characters."}, code="invalid")
    found = summarize(tenant=tenant, trace_ids=[trace_id.lower()])
    if not found:
        raise NotFound("There is no such trace.")
    if found[0].span_count > MAX_SPANS:
        raise TooLarge(TOO_MANY_SPANS)
    return found[0]
