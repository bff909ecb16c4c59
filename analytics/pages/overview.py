"""The first page: how the fleet did in a range of time, and what leads on to the traces behind it."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django_htmx.http import HttpResponseClientRefresh

from analytics.buckets import Buckets, usual_width_seconds
from analytics.pages.charts import Chart, Line, Tone, rates, time_edges
from analytics.pages.page import page, show
from analytics.pages.viewer import Viewer
from analytics.pages.window import ViewParameters, Window, window_of
from analytics.params import Page
from analytics.queries.choices import choices
from analytics.queries.filters import SpanFilter, TimedFilter
from analytics.queries.latency import latency
from analytics.queries.models import models
from analytics.queries.overview import MAX_BUCKETS, Overview, overview
from analytics.queries.population import Population
from analytics.queries.services import services
from analytics.queries.traces import find_traces
from analytics.times import NS_PER_MS
from analytics.views.filtering import span_filter

MOST_ROWS: Final = 10
PERCENTILES: Final[tuple[tuple[str, Tone], ...]] = (("p50", "1"), ("p95", "2"), ("p99", "3"))


@dataclass(frozen=True)
class Asked:
    """What the URL asks for."""

    window: Window
    span: SpanFilter

    def population(self, tenant: str) -> Population:
        return Population(tenant, self.window.start_ns, self.window.end_ns, self.span)

    @property
    def buckets(self) -> Buckets:
        width = usual_width_seconds(self.window.start_ns, self.window.end_ns, most=MAX_BUCKETS)
        return Buckets(self.window.start_ns, self.window.end_ns, width)


@page
def overview_page(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the frame, which asks for its parts, or what to do where no span ever came."""
    asked = _asked(request)
    offered = choices(tenant=viewer.tenant)
    context = {"choices": offered, "is_new": not offered.name}
    return show(request, viewer, "overview.html", context, window=asked.window)


@page
def arrived_part(_request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Have the page, whichever it is, asked again once a request can be shown; nothing until then."""
    first = Page(limit=1, offset=0, after=None, binding=reverse("pages:arrived"))
    found = find_traces(tenant=viewer.tenant, wanted=TimedFilter(), order_by="-start_time", page=first)
    return HttpResponseClientRefresh() if found.traces else HttpResponse(status=204)


@page
def numbers_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the numbers of the range and their charts."""
    asked = _asked(request)
    window = asked.window
    found = overview(tenant=viewer.tenant, start_ns=window.start_ns, end_ns=window.end_ns, span=asked.span)
    tokens = found.tokens_input + found.tokens_output
    context = {
        "found": found,
        "requests_per_second": found.total_traces / window.seconds if window.seconds else 0,
        "tokens_per_second": tokens / window.seconds if window.seconds else 0,
        "charts": _charts(found, asked.buckets),
    }
    return show(request, viewer, "overview_numbers.html", context, window=window)


@page
def ttft_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the time to the first token."""
    asked = _asked(request)
    found = latency(asked.population(viewer.tenant), of="ttft", buckets=asked.buckets)
    values = dict(found.series.groups[0][1]) if found.series.groups else {}
    numbers = range(len(asked.buckets.starts_ns))
    lines = [
        Line(name, [values.get(number, found.series.empty)[f"{name}_ms"] for number in numbers], tone)
        for name, tone in PERCENTILES
    ]
    nothing = "No span of this range told its time to the first token."
    chart = Chart("ttft", "Time to first token", "ms", time_edges(asked.buckets), lines, nothing=nothing)
    return show(request, viewer, "overview_ttft.html", {"chart": chart, "summary": found.summary})


@page
def models_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the models with the most spans."""
    found = models(_asked(request).population(viewer.tenant), limit=MOST_ROWS)
    return show(request, viewer, "overview_models.html", {"found": found})


@page
def services_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the services with the most spans."""
    found = services(_asked(request).population(viewer.tenant), limit=MOST_ROWS)
    return show(request, viewer, "overview_services.html", {"found": found})


@page
def slowest_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the slowest requests."""
    asked = _asked(request)
    wanted = TimedFilter(start_ns=asked.window.start_ns, end_ns=asked.window.end_ns, span=asked.span)
    first = Page(limit=MOST_ROWS, offset=0, after=None, binding=reverse("pages:overview_slowest"))
    found = find_traces(tenant=viewer.tenant, wanted=wanted, order_by="-duration_ms", page=first)
    longest_ns = max((trace.end_ns - trace.start_ns for trace in found.traces), default=0)
    return show(request, viewer, "overview_slowest.html", {"found": found, "longest_ns": longest_ns})


def _asked(request: HttpRequest) -> Asked:
    parameters: dict[str, Any] = ViewParameters.read_query(request.GET)
    return Asked(window_of(parameters), span_filter(parameters))


def _charts(found: Overview, buckets: Buckets) -> list[Chart]:
    edges = time_edges(buckets)
    counts: list[float | None] = [bucket.count for bucket in found.buckets]
    errors: list[float | None] = [100 * b.error_traces / b.count if b.count else None for b in found.buckets]
    percentiles = [
        Line(name, [_ms(getattr(bucket, f"{name}_ns")) for bucket in found.buckets], tone) for name, tone in PERCENTILES
    ]
    tokens = [
        Line("input", rates([bucket.tokens_input for bucket in found.buckets], buckets), "1"),
        Line("output", rates([bucket.tokens_output for bucket in found.buckets], buckets), "2"),
    ]
    costs = [Line("cost", [float(bucket.cost_usd) for bucket in found.buckets], "4")]
    return [
        Chart("requests", "Requests", "per_second", edges, [Line("requests", rates(counts, buckets))], kind="bars"),
        Chart("errors", "Requests that failed", "percent", edges, [Line("failed", errors, "error")]),
        Chart("latency", "Latency of requests", "ms", edges, percentiles),
        Chart("tokens", "Tokens", "per_second", edges, tokens, kind="stacked"),
        Chart("cost", "Cost", "usd", edges, costs, kind="bars"),
    ]


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / NS_PER_MS
