"""The list of traces."""

from django.http import HttpRequest, HttpResponse

from analytics.pages.page import page, show
from analytics.pages.viewer import Viewer
from analytics.pages.window import ViewParameters, window_of


@page
def traces_page(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the list."""
    window = window_of(ViewParameters.read_query(request.GET))
    return show(request, viewer, "traces.html", {}, window=window)
