"""One trace."""

from django.http import HttpRequest, HttpResponse

from analytics.pages.page import page, show
from analytics.pages.viewer import Viewer


@page
def trace_page(request: HttpRequest, viewer: Viewer, trace_id: str) -> HttpResponse:
    """Show the trace."""
    return show(request, viewer, "trace.html", {"trace_id": trace_id})
