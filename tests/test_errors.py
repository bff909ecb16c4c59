"""Every error under /api has one JSON shape, and says nothing that only the log should know."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis.exceptions
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from pytest_django import Settings
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from axonize.api import NO_SUCH_ADDRESS, SERVER_ERROR
from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.errors import ClickHouseError, ClickHouseUnavailable, QueryTooLarge
from axonize.urls import handler400, handler403, handler404, handler500, urlpatterns as real_urlpatterns
from tests.conftest import Ingest
from tests.engines import free_ports
from tests.otlp import request, span

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

SECRET = "SELECT password FROM users WHERE secret = 'hunter2'"  # noqa: S105 - made up, must not leave the server

FAILURES: dict[str, tuple[Exception, int, str, str]] = {
    "unforeseen": (RuntimeError(SECRET), 500, "server_error", SERVER_ERROR),
    "clickhouse": (ClickHouseError(SECRET, 47), 500, "server_error", SERVER_ERROR),
    "clickhouse-away": (
        ClickHouseUnavailable(SECRET),
        503,
        "server_error",
        "ClickHouse does not answer. Try again in a few seconds.",
    ),
    "too-large": (
        QueryTooLarge(SECRET, 159),
        422,
        "client_error",
        "This asks for more than one answer may take. Narrow the time range or the filters.",
    ),
    "postgres-away": (
        OperationalError(SECRET),
        503,
        "server_error",
        "PostgreSQL does not answer. Try again in a few seconds.",
    ),
    "redis-away": (
        redis.exceptions.ConnectionError(SECRET),
        503,
        "server_error",
        "Redis does not answer. Try again in a few seconds.",
    ),
    "missing": (Http404(SECRET), 404, "client_error", "Not found."),
    "forbidden": (
        PermissionDenied(SECRET),
        403,
        "client_error",
        "You do not have permission to perform this action.",
    ),
}


def failing_view(failure: str) -> Callable[..., Any]:
    @api_view(["GET"])
    def view(_request: Request, /) -> Response:
        raise FAILURES[failure][0]

    return view


def failing_plain_view(error: Exception) -> Callable[[HttpRequest], HttpResponse]:
    def view(_request: HttpRequest) -> HttpResponse:
        raise error

    return view


PLAIN_FAILURES: dict[str, tuple[Exception, int]] = {
    "unforeseen": (RuntimeError(SECRET), 500),
    "forbidden": (PermissionDenied(SECRET), 403),
    "suspicious": (SuspiciousOperation(SECRET), 400),
    "missing": (Http404(SECRET), 404),
}

urlpatterns = [
    *(path(f"api/fails/{name}", failing_view(name)) for name in FAILURES),
    *(path(f"api/plain/{name}", failing_plain_view(error)) for name, (error, _) in PLAIN_FAILURES.items()),
    *(path(f"plain/{name}", failing_plain_view(error)) for name, (error, _) in PLAIN_FAILURES.items()),
    *real_urlpatterns,
]


@pytest.fixture
def browser() -> Client:
    """Return a client that answers errors as the server would, with addresses that fail."""
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_in_a_view_is_told_without_its_cause(browser: Client, name: str, debug: bool) -> None:
    _, status, kind, detail = FAILURES[name]
    with override_settings(ROOT_URLCONF="tests.test_errors", DEBUG=debug):
        answer = browser.get(f"/api/fails/{name}")
    body = answer.json()
    assert answer.status_code == status
    assert body["type"] == kind
    assert [(error["detail"], error["attr"]) for error in body["errors"]] == [(detail, None)]
    assert "hunter2" not in answer.content.decode()
    assert ("Retry-After" in answer) == (status == 503)


@pytest.mark.parametrize(("name", "with_stack_trace"), [("unforeseen", True), ("clickhouse-away", False)])
@override_settings(ROOT_URLCONF="tests.test_errors")
def test_the_log_tells_each_failure_once_and_traces_only_what_nobody_foresaw(
    browser: Client, caplog: pytest.LogCaptureFixture, name: str, with_stack_trace: bool
) -> None:
    browser.get(f"/api/fails/{name}")
    [told] = [record for record in caplog.records if record.name != "axonize.request"]
    assert (told.exc_info is not None, told.levelname) == (with_stack_trace, "ERROR")


@pytest.mark.parametrize("name", PLAIN_FAILURES)
@override_settings(ROOT_URLCONF="tests.test_errors")
def test_a_failure_outside_the_api_views_has_the_same_shape_under_api_only(browser: Client, name: str) -> None:
    status = PLAIN_FAILURES[name][1]
    answer = browser.get(f"/api/plain/{name}")
    assert answer.status_code == status
    assert answer.json()["type"] == ("server_error" if status == 500 else "client_error")
    page = browser.get(f"/plain/{name}")
    assert page.status_code == status
    assert page["Content-Type"].startswith("text/html")
    assert "hunter2" not in (answer.content + page.content).decode()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "address", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/traces", "/api/v1/traces/", "/api/nope"]
)
def test_an_unknown_address_under_api_is_a_json_404(browser: Client, address: str, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        for method in (browser.get, browser.post, browser.delete):
            answer = method(address)
            assert answer.status_code == 404
            assert answer.json() == {
                "type": "client_error",
                "errors": [{"code": "not_found", "detail": NO_SUCH_ADDRESS, "attr": None}],
            }


def test_a_wrong_method_is_a_json_405(browser: Client) -> None:
    answer = browser.post("/api/v1/traces", {"a": 1}, content_type="application/json")
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "method_not_allowed"
    assert set(answer["Allow"].split(", ")) == {"GET", "OPTIONS"}


def test_a_host_that_is_not_ours_is_a_json_400(browser: Client) -> None:
    answer = browser.get("/api/v1/traces", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "bad_request"


@pytest.fixture
def clickhouse_away(settings: Settings) -> Iterator[None]:
    """Point at a port where nobody listens."""
    settings.CLICKHOUSE_URL = f"http://127.0.0.1:{free_ports(1)[0]}/axonize"
    clickhouse.get_client.cache_clear()
    yield
    clickhouse.get_client.cache_clear()


@pytest.mark.usefixtures("clickhouse_away")
@pytest.mark.parametrize(
    "address", ["/traces", f"/traces/{'a' * 32}", f"/traces/{'a' * 32}/spans", "/analytics/overview"]
)
def test_without_clickhouse_the_answer_is_a_503_to_try_again(browser: Client, address: str) -> None:
    answer = browser.get(f"/api/v1{address}")
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer.json()["errors"][0] == {
        "code": "unavailable",
        "detail": "ClickHouse does not answer. Try again in a few seconds.",
        "attr": None,
    }


def test_a_query_over_its_bound_of_memory_is_a_422_that_says_what_to_do(
    browser: Client, ingest: Ingest, settings: Settings
) -> None:
    ingest(request(span()))
    settings.QUERY_MAX_BYTES = 1000
    answer = browser.get("/api/v1/traces", {"name": "span"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "query_too_large"
    assert "Narrow" in answer.json()["errors"][0]["detail"]
