"""Spans as flat pages: those of one trace, and those of any trace that match."""

from typing import Final

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from analytics.attributes import json_text
from analytics.params import ATTRIBUTES_PARAMETER, MillisecondsField, Page, PageParameters, TextField, page_of
from analytics.queries.span_page import SpanMatch, SpanPage, span_page
from analytics.queries.span_search import ORDERS, find_spans
from analytics.queries.trace_rows import MAX_SPANS, TooManySpans
from analytics.serializers import STATUSES, FoundSpanPageSerializer, SpanPageSerializer
from analytics.span_json import flat_span
from analytics.tenancy import tenant_of
from analytics.views.examples import FLAT_SPANS, FOUND_SPAN, answers, page_answer
from analytics.views.filtering import FilterParameters, timed_filter
from analytics.views.trace_id import NO_SUCH_TRACE, TRACE_ID_PARAMETER, read_trace_id
from axonize.api import READ_ERRORS, TooLarge
from axonize.clickhouse.errors import QueryTooLarge

TOO_MANY_SPANS: Final = f"This trace has more than {MAX_SPANS:,} spans, which is more than this server shows."
TOO_LARGE: Final = "These spans are too large for one answer. Give a smaller limit."
TRACES_TOO_LARGE: Final = (
    "These spans, or their traces, are too large for one answer. "
    "Narrow the time range or the filters, or give a smaller limit."
)


class TraceSpansParameters(PageParameters):
    """What `GET /traces/{trace_id}/spans` takes; a span must satisfy all of it."""

    service_name = TextField(help_text="The service that sent the span.")
    model_name = TextField(help_text="The model, whole, such as `llama-3-70b`.")
    name = TextField(help_text="The span's name, whole.")
    status = serializers.ChoiceField(STATUSES, required=False, help_text="The span's own.")


@extend_schema(
    operation_id="list_trace_spans",
    tags=["traces"],
    parameters=[TRACE_ID_PARAMETER, TraceSpansParameters],
    responses={200: SpanPageSerializer, **READ_ERRORS},
    examples=answers("A chat through a gateway", page_answer(spans=FLAT_SPANS)),
)
@api_view(["GET"])
def trace_spans(request: Request, trace_id: str) -> HttpResponse:
    """List one trace's spans depth first, parents before their children, siblings by start time."""
    parameters = TraceSpansParameters.read(request)
    page = page_of(request, parameters)
    match = SpanMatch(**{name: parameters.get(name) for name in ("service_name", "model_name", "name", "status")})
    try:
        found = span_page(tenant=tenant_of(request), trace_id=read_trace_id(trace_id), match=match, page=page)
    except TooManySpans as error:
        raise TooLarge(TOO_MANY_SPANS) from error
    except QueryTooLarge as error:
        raise TooLarge(TOO_LARGE) from error
    if found is None:
        raise NotFound(NO_SUCH_TRACE)
    return _answer(found, page)


class SpanListParameters(FilterParameters, PageParameters):
    """What `GET /spans` takes; a span must satisfy all of it."""

    has_attributes = True

    name = TextField(help_text="The span's name, whole.")
    status = serializers.ChoiceField(STATUSES, required=False, help_text="The span's own.")
    min_duration_ms = MillisecondsField(required=False, help_text="Of the span; included.")
    max_duration_ms = MillisecondsField(required=False, help_text="Of the span; included.")
    order_by = serializers.ChoiceField(
        [f"{sign}{order}" for order in ORDERS for sign in ("", "-")],
        default="-start_time",
        help_text="`-` for descending.",
    )


@extend_schema(
    operation_id="list_spans",
    tags=["spans"],
    parameters=[SpanListParameters, ATTRIBUTES_PARAMETER],
    responses={200: FoundSpanPageSerializer, **READ_ERRORS},
    examples=answers("The slowest generation of a model", page_answer(spans=[FOUND_SPAN])),
)
@api_view(["GET"])
def span_list(request: Request) -> HttpResponse:
    """List spans of any trace that satisfy all filters; times, durations and the status are the span's own."""
    parameters = SpanListParameters.read(request)
    page = page_of(request, parameters)
    try:
        found = find_spans(
            tenant=tenant_of(request), wanted=timed_filter(parameters), order_by=parameters["order_by"], page=page
        )
    except QueryTooLarge as error:
        raise TooLarge(TRACES_TOO_LARGE) from error
    return _answer(found, page)


def _answer(found: SpanPage, page: Page) -> HttpResponse:
    rest = {"total": found.total, "limit": page.limit, "offset": page.offset, "next": found.next}
    spans = [flat_span(each.members, self_time_ns=each.self_time_ns, depth=each.depth) for each in found.spans]
    pieces = (b'{"spans":[', b",".join(spans), b"],", json_text(rest)[1:].encode())
    return HttpResponse(b"".join(pieces), content_type="application/json")
