"""The one JSON shape of every API error, and which error each failure becomes.

Nothing that an engine or an unforeseen exception says leaves the server; it is logged.
"""

import logging
import sys

import psycopg.errors
import redis.exceptions
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views import defaults
from drf_spectacular.utils import extend_schema, inline_serializer
from drf_standardized_errors.handler import ExceptionHandler as StandardizedExceptionHandler
from rest_framework import exceptions, serializers, status
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from axonize.clickhouse.errors import ClickHouseUnavailable, QueryTooLarge
from axonize.error_text import told
from registry.keys import KeysUnavailable

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"
RETRY_AFTER_SECONDS = 5
NO_SUCH_ADDRESS = "There is no such address. /api/docs lists them all."
SERVER_ERROR = "The server failed on this request; its log says why."


ERROR = inline_serializer(
    "Error",
    {
        "type": serializers.ChoiceField(["validation_error", "client_error", "server_error"]),
        "errors": inline_serializer(
            "ErrorItem",
            {
                "code": serializers.CharField(help_text="For programs: `invalid`, `not_found`, …"),
                "detail": serializers.CharField(help_text="For people: one sentence."),
                "attr": serializers.CharField(allow_null=True, help_text="The parameter or field that is wrong."),
            },
            many=True,
        ),
    },
)
# For `responses` of extend_schema, with any endpoint that asks ClickHouse.
READ_ERRORS = {422: ERROR, 503: ERROR}
# With any endpoint that takes a body.
BODY_ERRORS = {413: ERROR, 415: ERROR, 503: ERROR}


class ServiceUnavailable(exceptions.APIException):
    """An engine is away for now; the answer carries Retry-After."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"
    wait = RETRY_AFTER_SECONDS

    def __init__(self, engine: str) -> None:
        super().__init__(f"{engine} does not answer. Try again in a few seconds.")


class TooLarge(exceptions.APIException):
    """What was asked for is more than one answer may cost; the detail says how to ask for less."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "query_too_large"
    default_detail = "This asks for more than one answer may take. Narrow the time range or the filters."


class PreconditionFailed(exceptions.APIException):
    """The object is not what the request's If-Match says."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "precondition_failed"
    default_detail = "Somebody changed this since you read it. Read it again, and send your change with its new ETag."


def foreseen(error: Exception, *, reads: bool) -> exceptions.APIException | None:
    """Return what an engine's failure is to who asks, None where it is none; `reads` tells that nothing was changed."""
    match error:
        case QueryTooLarge():
            return TooLarge()
        case ClickHouseUnavailable():
            return ServiceUnavailable("ClickHouse")
        case OperationalError(__cause__=psycopg.errors.QueryCanceled()) if reads:
            return TooLarge()
        case OperationalError() | InterfaceError() | KeysUnavailable():
            return ServiceUnavailable("PostgreSQL")
        case redis.exceptions.ConnectionError() | redis.exceptions.TimeoutError():
            return ServiceUnavailable("Redis")
    return None


class ExceptionHandler(StandardizedExceptionHandler):
    """Turns engines' failures into 503 and 422, and what nobody foresaw into a 500 that says nothing of it."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        return foreseen(exc, reads=self._reads()) or super().convert_known_exceptions(exc)

    def _reads(self) -> bool:
        """Whether a bound that was met is the asker's affair; a write that was cut off waited for another one."""
        request = self.context["request"]
        return request is not None and request.method in SAFE_METHODS

    def convert_unhandled_exceptions(self, exc: Exception) -> exceptions.APIException:
        return exc if isinstance(exc, exceptions.APIException) else exceptions.APIException(SERVER_ERROR)

    def report_exception(self, exc: exceptions.APIException, response: Response) -> None:
        """Log an engine that is away in one line; only what nobody foresaw is worth a stack trace."""
        if isinstance(exc, ServiceUnavailable):
            logger.error("%s (%s)", exc.detail, told(self.exc))
            response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  Django's own mark
        else:
            super().report_exception(exc, response)


@extend_schema(exclude=True)
@api_view(["GET", "POST", "PUT", "PATCH", "DELETE"])
@authentication_classes([])
@permission_classes([])
def unknown_address(_request: Request, /) -> HttpResponse:
    """Answer any API path that no route takes. A route itself, for with DEBUG Django's own page shows all routes."""
    raise exceptions.NotFound(NO_SUCH_ADDRESS)


# What fails outside a view, in middleware or the router, comes here (see urls.py).
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not request.path.startswith(API_PREFIX):
        return defaults.bad_request(request, exception)
    return _error(400, "client_error", "bad_request", "This request cannot be understood.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not request.path.startswith(API_PREFIX):
        return defaults.permission_denied(request, exception)
    return _error(403, "client_error", "permission_denied", "You do not have permission to do this.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not request.path.startswith(API_PREFIX):
        return defaults.page_not_found(request, exception)
    return _error(404, "client_error", "not_found", NO_SUCH_ADDRESS)


def payload_too_large(request: HttpRequest, limit_bytes: int) -> HttpResponseBase:
    detail = f"A request has at most {limit_bytes} bytes."
    if not request.path.startswith(API_PREFIX):
        return HttpResponse(detail, status=413, content_type="text/plain")
    return _error(413, "client_error", "payload_too_large", detail)


def server_error(request: HttpRequest) -> HttpResponseBase:
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError | KeysUnavailable):
        return _postgres_away(request)
    if not request.path.startswith(API_PREFIX):
        return defaults.server_error(request)
    return _error(500, "server_error", "error", SERVER_ERROR)


def _postgres_away(request: HttpRequest) -> HttpResponseBase:
    away = ServiceUnavailable("PostgreSQL")
    if request.path.startswith(API_PREFIX):
        answer: HttpResponse = _error(away.status_code, "server_error", away.default_code, str(away.detail))
    else:
        answer = HttpResponse(str(away.detail), status=away.status_code, content_type="text/plain")
    answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _error(status_code: int, kind: str, code: str, detail: str) -> JsonResponse:
    errors = [{"code": code, "detail": detail, "attr": None}]
    return JsonResponse({"type": kind, "errors": errors}, status=status_code)
