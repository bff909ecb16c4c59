"""One trace: what stands over it, its waterfall, one span of it, and all of it as OTLP."""

import json
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from rest_framework.exceptions import NotFound, ValidationError

from analytics.otlp_json import request_pieces
from analytics.pages.page import page, show
from analytics.pages.trace_data import waterfall_data
from analytics.pages.trace_span import span_context
from analytics.pages.viewer import Viewer
from analytics.pages.window import WindowParameters
from analytics.params import TextField
from analytics.queries.one_span import one_span
from analytics.queries.otlp_rows import sent_trace
from analytics.queries.trace_head import trace_head
from analytics.queries.trace_rows import MAX_SPANS, TooManySpans
from analytics.queries.waterfall import waterfall
from analytics.views.trace_id import NO_SUCH_TRACE, read_trace_id
from axonize.api import TooLarge
from axonize.clickhouse.errors import QueryTooLarge

NO_SUCH_SPAN: Final = "This trace has no such span. Close this, and choose another one."
GONE: Final = "This trace is not here any more: it was deleted, or is older than what is kept."
TOO_MANY_SPANS: Final = (
    f"This trace has more than {MAX_SPANS:,} spans, which is more than a page shows. The API has them page by page."
)
TOO_LARGE: Final = "This trace is too large for one answer. The API has its spans page by page."


class TraceParameters(WindowParameters):
    """What the page of a trace takes: which span is chosen; and the range that its links carry on."""

    span = TextField()


@page
def trace_page(request: HttpRequest, viewer: Viewer, trace_id: str) -> HttpResponse:
    """Show what stands over the trace, and the frame of its waterfall."""
    TraceParameters.read_query(request.GET)
    try:
        head = trace_head(tenant=viewer.tenant, trace_id=read_trace_id(trace_id))
    except ValidationError:
        head = None
    if head is None:
        return show(request, viewer, "trace_missing.html", {"trace_id": trace_id}, status=404)
    context = {
        "head": head,
        "max_spans": MAX_SPANS,
        "is_too_large": head.span_count > MAX_SPANS,
        "default_tenant": settings.DEFAULT_TENANT,
    }
    return show(request, viewer, "trace.html", context)


@page
def waterfall_part(request: HttpRequest, viewer: Viewer, trace_id: str) -> HttpResponse:
    """Return the columns that trace.js draws."""
    TraceParameters.read_query(request.GET)
    try:
        found = waterfall(tenant=viewer.tenant, trace_id=_known(trace_id))
    except QueryTooLarge as error:
        raise _too_large(error) from error
    if found is None:
        raise NotFound(GONE)
    text = json.dumps(waterfall_data(found), ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(text.encode("utf-8", "replace"), content_type="application/json")


@page
def span_part(request: HttpRequest, viewer: Viewer, trace_id: str, span_id: str) -> HttpResponse:
    """Show one span, the first of its id."""
    TraceParameters.read_query(request.GET)
    found = None
    if _is_span_id(span_id):
        found = one_span(tenant=viewer.tenant, trace_id=_known(trace_id), span_id=span_id.lower())
    if found is None:
        raise NotFound(NO_SUCH_SPAN)
    return show(request, viewer, "trace_span.html", {"trace_id": trace_id, **span_context(found)})


@page
def otlp_file(request: HttpRequest, viewer: Viewer, trace_id: str) -> Any:
    """Send all that is stored of the trace as a file of OTLP's JSON, which any OTLP receiver takes."""
    TraceParameters.read_query(request.GET)
    known = _known(trace_id)
    try:
        sent = sent_trace(tenant=viewer.tenant, trace_id=known)
    except QueryTooLarge as error:
        raise _too_large(error) from error
    if sent is None:
        raise NotFound(GONE)
    return StreamingHttpResponse(
        request_pieces(sent.spans(), sent.resources),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="trace-{known}.json"'},
    )


def _known(trace_id: str) -> str:
    try:
        return read_trace_id(trace_id)
    except ValidationError as error:
        raise NotFound(NO_SUCH_TRACE) from error


def _is_span_id(text: str) -> bool:
    return len(text) == 16 and not set(text.lower()) - set("0123456789abcdef")  # noqa: PLR2004  OTLP's eight bytes


def _too_large(error: QueryTooLarge) -> TooLarge:
    return TooLarge(TOO_MANY_SPANS if isinstance(error, TooManySpans) else TOO_LARGE)
