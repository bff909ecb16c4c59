"""One line a request of the web process: what it says, at which level, and the id that the client gets too."""

import pytest
from django.test import Client as Browser
from django.test.utils import override_settings

from axonize.request_id import request_id_of
from tests.keys import bearer, make_key
from tests.logs import Line, Log


@pytest.fixture
def browser() -> Browser:
    return Browser(raise_request_exception=False)


def only(log: Log) -> Line:
    [line] = log.of("axonize.request")
    return line


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse")
def test_a_request_is_one_line_with_its_route_and_without_its_query(browser: Browser, log: Log) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    answer = browser.get(f"/api/v1/traces/{trace_id}", {"secret": "hunter2"}, headers={"X-Request-ID": "mine-1"})
    line = only(log)
    assert line.pop("duration_ms") > 0
    assert line.pop("timestamp")
    assert line == {
        "level": "warning", "logger": "axonize.request", "event": "request", "method": "GET",
        "route": "/api/v1/traces/{trace_id}", "status": answer.status_code, "tenant": "default", "request_id": "mine-1",
    }  # fmt: skip
    assert answer["X-Request-ID"] == "mine-1"
    assert trace_id not in log.text
    assert "hunter2" not in log.text


@pytest.mark.parametrize(
    ("path", "route", "level"),
    [
        ("/healthz", "/healthz", "debug"),
        ("/api/nope", "/api", "warning"),
        ("/no/such/page", "", "warning"),
        ("/static/axonize/icon.svg", "/static/{path}", "info"),
        ("/admin/login/", "/admin/login/", "info"),
        ("/api/schema", "/api/schema", "info"),
    ],
)
@pytest.mark.django_db
def test_the_level_tells_probes_answers_and_refusals_apart(
    browser: Browser, log: Log, path: str, route: str, level: str
) -> None:
    browser.get(path).close()
    line = only(log)
    assert (line["route"], line["level"]) == (route, level)


@override_settings(ROOT_URLCONF="tests.test_errors")
def test_a_failure_is_an_error_with_its_stack_trace_in_a_line_of_the_same_request(browser: Browser, log: Log) -> None:
    browser.get("/api/fails/clickhouse", headers={"X-Request-ID": "failing"})
    assert (only(log)["level"], only(log)["status"]) == ("error", 500)
    [told] = [line for line in log.lines if "exception" in line]
    assert told["request_id"] == "failing"
    assert told["exception"].endswith("ClickHouseError (47)")
    assert "hunter2" not in log.text


def test_a_flood_of_refusals_is_one_warning_a_second_and_the_rest_at_debug(browser: Browser, log: Log) -> None:
    for _ in range(20):
        browser.get("/api/nope")
    levels = [line["level"] for line in log.of("axonize.request")]
    assert len(levels) == 20
    assert levels.count("warning") < levels.count("debug")


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse")
def test_the_tenant_is_that_of_the_key(browser: Browser, log: Log) -> None:
    browser.get("/api/v1/traces", headers=bearer(make_key("vision-lab")))
    assert only(log)["tenant"] == "vision-lab"


@pytest.mark.parametrize("sent", ["a", "0af7651916cd43dd8448eb211c80319c", "A.b_c-9", "x" * 64])
def test_an_id_that_is_a_short_token_is_kept(sent: str) -> None:
    assert request_id_of(sent) == sent


@pytest.mark.parametrize("sent", [None, "", "x" * 65, "a b", "a\n", "é", '"', "٣", "a;b"])
def test_any_other_is_replaced_by_one_of_ours(sent: str | None) -> None:
    made = request_id_of(sent)
    assert made not in {sent, request_id_of(sent)}
    assert len(made) == 32
    assert int(made, 16) >= 0
