"""One log line a request of the web process: method, route, status, duration, tenant, request id."""

import logging
import re
import time
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from axonize.flood import OncePerSecond
from axonize.log_lines import write_line
from axonize.request_id import HEADER, request_context, request_id_of

logger = logging.getLogger("axonize.request")

# Probes and scrapes come every few seconds and say nothing while they succeed.
QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_PARAMETER: Final = re.compile(r"<(?:\w+:)?(\w+)>")


class RequestLogMiddleware:
    """Log each answered request, by its route: paths hold ids, and queries hold users' data."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._refusals = OncePerSecond()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started_s = time.perf_counter()
        request_id = request_id_of(request.headers.get(HEADER))
        with request_context(request_id):
            response = self.get_response(request)
        response[HEADER] = request_id
        route, status = route_of(request), response.status_code
        fields: dict[str, Any] = {
            "method": request.method,
            "route": route,
            "status": status,
            "duration_ms": round((time.perf_counter() - started_s) * 1000, 3),
            "tenant": getattr(getattr(request, "auth", None), "tenant", None),
            "request_id": request_id,
        }
        write_line(logger, self._level(fields), "request", fields)
        return response

    def _level(self, fields: dict[str, Any]) -> int:
        status, route = fields["status"], fields["route"]
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return logging.ERROR
        if status >= HTTPStatus.BAD_REQUEST:
            left_out = self._refusals.left_out((status, route))
            if left_out:
                fields["left_out"] = left_out
            return logging.DEBUG if left_out is None else logging.WARNING
        return logging.DEBUG if route in QUIET_ROUTES else logging.INFO


def route_of(request: HttpRequest) -> str:
    """Return the pattern that a request's address matched, as in `/api/v1/traces/{trace_id}`; '' where none did."""
    match = request.resolver_match
    if match is not None:
        return _route(match.route)
    return "/static/{path}" if request.path.startswith(f"/{settings.STATIC_URL.strip('/')}/") else ""


@lru_cache(maxsize=1024)
def _route(pattern: str) -> str:
    """Return a URL pattern of Django as OpenAPI writes it.

    >>> _route("api/v1/traces/<str:trace_id>")
    '/api/v1/traces/{trace_id}'
    """
    return _PARAMETER.sub(r"{\1}", simplify_regex(pattern))
