"""One log line a request: method, path, status, duration."""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest
from django.http.response import HttpResponseBase

logger = logging.getLogger("axonize.request")

# Probes and scrapes come every few seconds and say nothing while they succeed.
QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestLogMiddleware:
    """Log each answered request; queries of the URL are not logged, for filters may hold users' data."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.monotonic()
        response = self.get_response(request)
        duration_ms = (time.monotonic() - started) * 1000
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            level = logging.ERROR
        elif request.path in QUIET_PATHS:
            level = logging.DEBUG
        else:
            level = logging.INFO
        logger.log(level, "%s %s %d %.1fms", request.method, request.path, response.status_code, duration_ms)
        return response
