"""Traces: the list, and one as a tree."""

from http import HTTPStatus
from typing import Final

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.attributes import json_text
from analytics.params import (
    ATTRIBUTES_PARAMETER,
    MillisecondsField,
    PageParameters,
    QueryParameters,
    TextField,
    page_of,
)
from analytics.queries.spans import whole_trace
from analytics.queries.trace_rows import TooManySpans
from analytics.queries.traces import ORDERS, find_traces
from analytics.serializers import (
    STATUSES,
    TracePageSerializer,
    TraceSerializer,
    summary_json,
)
from analytics.span_json import with_self_time
from analytics.tenancy import tenant_of
from analytics.tree import arrange, nested
from analytics.views.examples import TRACE, TRACE_SUMMARY, answers, page_answer
from analytics.views.filtering import FilterParameters, timed_filter
from analytics.views.spans import TOO_MANY_SPANS
from analytics.views.trace_id import NO_SUCH_TRACE, TRACE_ID_PARAMETER, read_trace_id
from axonize.api import ERROR, READ_ERRORS, TooLarge
from axonize.clickhouse.deletion import delete_traces
from axonize.clickhouse.errors import QueryTooLarge

TOO_LARGE: Final = "This trace is too large for one answer. Read it page by page from /traces/{trace_id}/spans."


class TraceListParameters(FilterParameters, PageParameters):
    """What `GET /traces` takes."""

    has_attributes = True

    name = TextField(help_text="The name of any span.")
    status = serializers.ChoiceField(
        STATUSES, required=False, help_text="The trace's: `error` when any of its spans failed, else its root's."
    )
    min_duration_ms = MillisecondsField(required=False, help_text="Of the whole trace; included.")
    max_duration_ms = MillisecondsField(required=False, help_text="Of the whole trace; included.")
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
    examples=answers("The slowest chat of a model", page_answer(traces=[TRACE_SUMMARY])),
)
@api_view(["GET"])
def trace_list(request: Request) -> Response:
    """List traces. Span-level filters choose those in which one span satisfies them all; a summary is of the whole."""
    parameters = TraceListParameters.read(request)
    page = page_of(request, parameters)
    found = find_traces(
        tenant=tenant_of(request), wanted=timed_filter(parameters), order_by=parameters["order_by"], page=page
    )
    answer = {
        "traces": [summary_json(trace) for trace in found.traces],
        "total": found.total,
        "limit": page.limit,
        "offset": page.offset,
        "next": found.next,
    }
    return Response(answer)


@extend_schema(
    methods=["DELETE"],
    operation_id="delete_trace",
    description=(
        "Delete a trace: every span of it, in every answer. Spans of it that arrive later, for they were on their way, "
        "are deleted too. When and where its GPUs were seen stays."
    ),
    tags=["traces"],
    parameters=[TRACE_ID_PARAMETER],
    responses={204: None, 404: ERROR, 503: ERROR},
)
@extend_schema(
    methods=["GET"],
    operation_id="get_trace",
    tags=["traces"],
    parameters=[TRACE_ID_PARAMETER],
    responses={200: TraceSerializer, **READ_ERRORS},
    examples=answers("A chat through a gateway", TRACE),
)
@api_view(["GET", "DELETE"])
def trace_detail(request: Request, trace_id: str) -> HttpResponse | Response:
    """Show one trace with its spans as a tree. A span whose parent has not arrived is a root."""
    QueryParameters.read(request)
    if request.method == "DELETE":
        return _delete(request, read_trace_id(trace_id))
    try:
        trace = whole_trace(tenant=tenant_of(request), trace_id=read_trace_id(trace_id))
    except TooManySpans as error:
        raise TooLarge(TOO_MANY_SPANS) from error
    except QueryTooLarge as error:
        raise TooLarge(TOO_LARGE) from error
    if trace is None:
        raise NotFound(NO_SUCH_TRACE)
    tree = arrange(trace.places)
    members = list(map(with_self_time, trace.members, tree.self_time_ns))
    summary = json_text(summary_json(trace.summary)).encode()
    pieces = (summary[:-1], b',"spans":', *nested(tree, members), b"}")
    return HttpResponse(b"".join(pieces), content_type="application/json")


def _delete(request: Request, trace_id: str) -> Response:
    if not delete_traces(tenant=tenant_of(request), trace_ids=[trace_id]):
        raise NotFound(NO_SUCH_TRACE)
    return Response(status=HTTPStatus.NO_CONTENT)
