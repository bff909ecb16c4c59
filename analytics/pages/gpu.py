"""One GPU, a card or a slice of one."""

from django.http import HttpRequest, HttpResponse

from analytics.pages.page import page, show
from analytics.pages.viewer import Viewer
from analytics.pages.window import WindowParameters, window_of


@page
def gpu_page(request: HttpRequest, viewer: Viewer, resource_uuid: str) -> HttpResponse:
    """Show the GPU."""
    window = window_of(WindowParameters.read_query(request.GET))
    return show(request, viewer, "gpu.html", {"resource_uuid": resource_uuid}, window=window)
