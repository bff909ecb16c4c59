"""No request to the web process has a larger body than the setting says, whatever would read it."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from axonize.api import payload_too_large


class BodySizeMiddleware:
    """Refuse what is too large by its Content-Length, unread.

    Django's own bound holds for forms and for `request.body`, and not for what DRF's parsers read as a stream. A body
    without Content-Length is not read by either: for WSGI it is empty.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return payload_too_large(request)
        return self.get_response(request)
