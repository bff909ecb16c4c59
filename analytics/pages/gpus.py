"""The fleet: nodes, their cards, and the slices of these."""

from django.http import HttpRequest, HttpResponse

from analytics.pages.page import page, show
from analytics.pages.viewer import Viewer
from analytics.pages.window import WindowParameters, window_of


@page
def gpus_page(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the fleet."""
    window = window_of(WindowParameters.read_query(request.GET))
    return show(request, viewer, "gpus.html", {}, window=window)
