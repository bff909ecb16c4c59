"""The list of traces: filters, a histogram of their durations to brush, and pages that stay as they were."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import ValidationError

from analytics.pages.charts import Chart, Line
from analytics.pages.page import page, show
from analytics.pages.viewer import Viewer
from analytics.pages.window import RANGES, Window, WindowParameters, window_of
from analytics.params import ATTRIBUTE_PREFIX, Page, TextField, page_at
from analytics.queries.attribute_suggestions import attribute_keys, attribute_values
from analytics.queries.choices import choices
from analytics.queries.durations import DurationBucket, durations
from analytics.queries.filters import STATUSES, TimedFilter
from analytics.queries.traces import find_traces
from analytics.times import MAX_NS, NS_PER_SECOND
from analytics.views.filtering import timed_filter
from analytics.views.traces import TraceListParameters

# What can be ordered by, and its heading; None is of no order. Numbers stand to the right.
_COLUMNS: Final = (
    (None, "Request", False),
    (None, "Status", False),
    ("start_time", "Began", False),
    ("duration_ms", "Took", False),
    ("span_count", "Spans", True),
    ("error_count", "Errors", True),
    (None, "Models", False),
    (None, "Tokens in", True),
    (None, "Tokens out", True),
    (None, "GPUs", True),
    ("cost_usd", "Cost", True),
)
_END_MS: Final = 1e13
"""Where the scale of a histogram ends: 317 years."""


class TracesParameters(WindowParameters, TraceListParameters):
    """A time range, all that `GET /traces` takes, and an attribute's key and value on their way to become a filter."""

    attribute_key = TextField()
    attribute_value = TextField()


@dataclass(frozen=True)
class Asked:
    """What the URL asks for."""

    window: Window
    wanted: TimedFilter
    order_by: str
    page: Page
    key: str
    value: str

    @property
    def is_first(self) -> bool:
        return self.page.after is None and not self.page.offset

    def cursor(self, of_list: str) -> str:
        """Return the cursor of the page's URL, of one of the list: see _asked()."""
        return f"{self.window.end_ns}.{of_list}"


@dataclass(frozen=True)
class Heading:
    """A column's; `order` is what a click on it orders by, "" where nothing is, `sorted` is as aria-sort has it."""

    label: str
    is_number: bool
    order: str
    sorted: str


@page
def traces_page(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the frame, which asks for its parts, or what to do where no span ever came."""
    asked = _asked(request)
    if asked.key and asked.value:
        return HttpResponseRedirect(_with_attribute(request, asked.key, asked.value))
    offered = choices(tenant=viewer.tenant)
    context = {"asked": asked, "choices": offered, "statuses": STATUSES, "is_new": not offered.name}
    return show(request, viewer, "traces.html", context, window=asked.window)


@page
def durations_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show how the durations are distributed of the traces that match but for their durations."""
    asked = _asked(request)
    found = durations(tenant=viewer.tenant, wanted=asked.wanted)
    context = {
        "asked": asked,
        "chart": _chart(found, asked.wanted),
        "chosen": sum(bucket.chosen for bucket in found),
        "total": sum(bucket.count for bucket in found),
    }
    return show(request, viewer, "traces_durations.html", context, window=asked.window)


@page
def list_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show a page of the traces."""
    asked = _asked(request)
    found = find_traces(tenant=viewer.tenant, wanted=asked.wanted, order_by=asked.order_by, page=asked.page)
    context = {
        "asked": asked,
        "found": found,
        "first": asked.page.offset + 1,
        "last": asked.page.offset + len(found.traces),
        "next": None if found.next is None else asked.cursor(found.next),
        "longest_ns": max((trace.duration_ns for trace in found.traces), default=0),
        "headings": [_heading(*column, order_by=asked.order_by) for column in _COLUMNS],
        "longer": [name for name, seconds in RANGES.items() if seconds > asked.window.seconds],
    }
    return show(request, viewer, "traces_list.html", context, window=asked.window)


@page
def attributes_part(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show what a field suggests: keys of attributes, or where the URL names a key, its values."""
    asked = _asked(request)
    if asked.key:
        options = attribute_values(tenant=viewer.tenant, wanted=asked.wanted, key=asked.key)
    else:
        options = attribute_keys(tenant=viewer.tenant, wanted=asked.wanted)
    return show(request, viewer, "traces_attributes.html", {"options": options})


def _asked(request: HttpRequest) -> Asked:
    """Return what the URL asks for.

    A range such as "the last hour" moves on from one page to the next: at its begin traces would fall out, and be
    skipped in any order but by time. So a cursor tells first when the range of its list ended, and is signed over
    that and over the parameters as the URL has them. Traces that arrive meanwhile are none of its list either, for it
    is as of one moment (analytics.queries.traces).
    """
    parameters: dict[str, Any] = TracesParameters.read_query(request.GET)
    key, value = (parameters.pop(name, "") for name in ("attribute_key", "attribute_value"))
    window = window_of(parameters)
    if "cursor" in parameters:
        until, _, parameters["cursor"] = parameters["cursor"].partition(".")
        window = _fixed(window, until)
    page = page_at(reverse("pages:traces"), {**parameters, "until": window.end_ns})
    wanted = timed_filter({**parameters, "start": window.start_ns, "end": window.end_ns})
    return Asked(window, wanted, parameters["order_by"], page, key, value)


def _fixed(window: Window, until: str) -> Window:
    """Return the range as it was when it ended then. It has no name any more, for nothing that comes is of it."""
    if not (until.isascii() and until.isdigit() and len(until) <= len(str(MAX_NS))):
        raise ValidationError({"cursor": "This cursor is not of this list. Start again without it."}, code="invalid")
    end_ns = int(until)
    if not window.range:
        return Window(window.start_ns, end_ns, "")
    return Window(end_ns - RANGES[window.range] * NS_PER_SECOND, end_ns, "")


def _with_attribute(request: HttpRequest, key: str, value: str) -> str:
    """Return the address of the page with one more filter."""
    query = request.GET.copy()
    for name in ("attribute_key", "attribute_value", "cursor", "offset"):
        query.pop(name, None)
    if value not in query.getlist(ATTRIBUTE_PREFIX + key):
        query.appendlist(ATTRIBUTE_PREFIX + key, value)
    return f"{request.path}?{query.urlencode()}"


def _chart(found: list[DurationBucket], wanted: TimedFilter) -> Chart:
    edges = [bucket.from_ms for bucket in found] + [min(bucket.to_ms, _END_MS) for bucket in found[-1:]]
    if wanted.min_duration_ns is None and wanted.max_duration_ns is None:
        lines = [Line("requests", [bucket.count for bucket in found])]
    else:
        # without what is nothing, of which a line would be drawn
        chosen = Line("chosen", [bucket.chosen or None for bucket in found])
        lines = [chosen, Line("others", [bucket.count - bucket.chosen or None for bucket in found], "rest")]
    return Chart("durations", "Duration", "count", edges, lines, kind="stacked", axis="duration")


def _heading(order: str | None, label: str, is_number: bool, *, order_by: str) -> Heading:  # noqa: FBT001  a column's
    if order is None:
        return Heading(label, is_number, "", "")
    if order_by == f"-{order}":
        return Heading(label, is_number, order, "descending")
    return Heading(label, is_number, f"-{order}", "ascending" if order_by == order else "")
