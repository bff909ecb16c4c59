"""/metrics: what Prometheus scrapes, for who may read."""

from collections.abc import Iterable

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.decorators import api_view, content_negotiation_class
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from axonize.metrics.page import page


class AnyAccept(BaseContentNegotiation):
    """Takes whatever Accept a scraper sends; errors are JSON all the same."""

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002  DRF's signature
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002  DRF's signature
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


@extend_schema(exclude=True)
@api_view(["GET"])
@content_negotiation_class(AnyAccept)
def metrics(_request: Request, /) -> HttpResponse:
    """Answer in Prometheus' text format."""
    return HttpResponse(page(), content_type=CONTENT_TYPE_LATEST)
