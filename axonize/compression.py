"""Answers in gzip for who takes it."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressionMiddleware(GZipMiddleware):
    """Django's, with its remedy against BREACH; but what has an ETag goes as it is.

    Compressed, its ETag would be a weak one, which If-Match must not be satisfied by (RFC 9110 section 13.1.1), and
    the registry's objects are changed under it. They are small.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.has_header("ETag"):
            return response
        return super().process_response(request, response)
