"""No request to the web process has a larger body than the settings say, whatever would read it."""

import re
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from axonize.api import payload_too_large

# What takes a file: the admin's imports, which look at who asks once the body is read.
_IMPORTS: Final = re.compile(r"/admin/\w+/\w+/import/")


class BodySizeMiddleware:
    """Refuse what is too large by its Content-Length, unread.

    Django's own bound holds for forms and for `request.body`, and not for what DRF's parsers read as a stream. A body
    without Content-Length is not read by either: for WSGI it is empty.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        takes_file = _IMPORTS.fullmatch(request.path_info)
        limit = settings.FILE_UPLOAD_MAX_MEMORY_SIZE if takes_file else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if length.isdecimal() and int(length) > limit:
            return payload_too_large(request, limit)
        return self.get_response(request)
