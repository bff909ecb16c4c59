"""What a line of the log is, whoever writes it, and what it never quotes."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver import Client
from django.db import DataError, IntegrityError, connection
from django.test import override_settings

from axonize.clickhouse import client as clickhouse_client
from axonize.clickhouse.errors import ClickHouseError, ClickHouseUnavailable
from axonize.error_text import stack_trace, told
from axonize.flood import OncePerSecond
from axonize.log_lines import write_line
from axonize.log_settings import log_config
from registry.models import Tenant
from tests.logs import CANARY, Log, logged
from tests.processes import finished


def test_a_line_has_the_time_with_its_zone_the_level_the_logger_and_the_event(log: Log) -> None:
    logging.getLogger("some.module").warning("Batch %s has no task", "b1")
    [line] = log.lines
    assert list(line) == ["timestamp", "level", "logger", "event"]
    assert (line["level"], line["logger"], line["event"]) == ("warning", "some.module", "Batch b1 has no task")
    assert len(line["timestamp"]) == len("2026-01-01T00:00:00.000000Z")
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(line["timestamp"]) < timedelta(minutes=1)


def test_a_quick_line_reads_like_any_other_and_has_its_fields(log: Log) -> None:
    logger = logging.getLogger("some.module")
    logger.error("request")
    write_line(logger, logging.ERROR, "request", {"status": 200, "request_ids": ["a", "b"], "tenant": None})
    plain, quick = log.lines
    assert quick.items() >= {"status": 200, "request_ids": ["a", "b"], "tenant": None}.items()
    assert {name: quick[name] for name in plain} == plain | {"timestamp": quick["timestamp"]}


def test_a_quick_line_below_the_level_is_not_written() -> None:
    with logged(logging.WARNING) as log:
        write_line(logging.getLogger("some.module"), logging.INFO, "request", {})
    assert log.text == ""


@pytest.mark.parametrize("value", [2**70, "\ud800", {1, 2}, b"\xff", float("nan")], ids=repr)
def test_what_json_has_no_form_for_is_a_line_all_the_same(log: Log, value: object) -> None:
    write_line(logging.getLogger("some.module"), logging.INFO, "event\nof two lines", {"value": value})
    [line] = log.lines
    assert line["event"] == "event\nof two lines"


def raise_and_log(error: Exception) -> None:
    try:
        try:
            _ = dict[str, str]()[CANARY]
        except KeyError as cause:
            raise error from cause
    except Exception:
        logging.getLogger("some.module").exception("It failed")


def test_an_exception_is_one_text_in_its_line_with_its_cause(log: Log) -> None:
    raise_and_log(RuntimeError("the pool is closed"))
    [line] = log.lines
    first, second = line["exception"].split("The exception above was the cause of this one:")
    assert first.strip().endswith("KeyError")
    assert second.endswith("RuntimeError: the pool is closed")
    assert "in raise_and_log" in second
    assert line["event"] == "It failed"


class Canary(Exception):
    """An exception of somebody else's package, with words that nobody knows."""

    __module__ = "elsewhere"


@pytest.mark.parametrize(
    "error",
    [ValueError(CANARY), KeyError(CANARY), UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY), Canary(CANARY)],
    ids=repr,
)
def test_the_words_of_an_exception_that_may_quote_a_value_are_left_out(log: Log, error: Exception) -> None:
    raise_and_log(error)
    assert CANARY not in log.text + told(error)
    assert type(error).__name__ in log.text


def test_an_exception_that_speaks_of_a_connection_is_told() -> None:
    assert (
        told(ConnectionRefusedError(111, "Connection refused"))
        == "ConnectionRefusedError: [Errno 111] Connection refused"
    )
    assert told(ClickHouseUnavailable("ClickHouse does not answer: refused")) == "ClickHouse does not answer: refused"


@pytest.mark.usefixtures("clickhouse")
@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT CAST('{}', 'Enum8(\\'a\\' = 1)')", 691),
        ("SELECT toUInt64('{}')", 6),
        ("SELECT throwIf(1, '{}')", 395),
        ("SELECT a FROM (SELECT '{}' AS b)", 47),
    ],
)
def test_what_clickhouse_quotes_is_left_out(statement: str, code: int) -> None:
    with pytest.raises(ClickHouseError) as refused:
        clickhouse_client.command(statement.format(CANARY))
    error = refused.value
    assert CANARY in str(error), "or this tests nothing"
    assert CANARY not in told(error) + stack_trace(error)
    assert told(error) == f"{error.name} ({code})"


@pytest.mark.usefixtures("clickhouse")
def test_what_is_wrong_with_the_server_is_told_in_a_sentence(clickhouse: Client) -> None:
    assert clickhouse
    with pytest.raises(ClickHouseError) as refused:
        clickhouse_client.command("SELECT * FROM no_such_table")
    assert told(refused.value).startswith("UNKNOWN_TABLE (60): Unknown table expression identifier 'no_such_table'")


@pytest.mark.django_db
def test_what_postgresql_quotes_is_left_out() -> None:
    Tenant.objects.create(slug=CANARY, name=CANARY)
    with pytest.raises(IntegrityError) as refused:
        Tenant.objects.create(slug=CANARY, name=CANARY)
    assert CANARY in str(refused.value), "or this tests nothing"
    assert CANARY not in told(refused.value) + stack_trace(refused.value)
    assert told(refused.value).startswith("IntegrityError 23505 (")


@pytest.mark.django_db
def test_a_value_that_postgresql_cannot_read_is_left_out() -> None:
    with pytest.raises(DataError) as refused, connection.cursor() as cursor:
        cursor.execute("SELECT %s::integer", [CANARY])
    assert CANARY not in told(refused.value) + stack_trace(refused.value)
    assert told(refused.value) == "DataError 22P02"


@pytest.mark.parametrize(
    ("logger", "message", "arguments", "event"),
    [
        ("django.request", "%s: %s", ("Internal Server Error", f"/api/v1/gpus/{CANARY}"), "Internal Server Error"),
        ("gunicorn.error", "Error handling request %s %s", ("GET", f"/traces?name={CANARY}"), "Error handling request"),
        ("gunicorn.error", f"Invalid request from ip=::1: Invalid Method {CANARY}", (), "Invalid request from ip=::1"),
        ("asyncio", f"Exception in callback A.data(b'{CANARY}')\nhandle: x", (), "Exception in callback A.data"),
        (
            "celery.app.trace",
            "Task %(name)s[%(id)s] %(description)s: %(exc)s",
            ({"name": "a.b", "id": "1", "description": "raised unexpected", "exc": f"ValueError('{CANARY}')"},),
            "Task a.b[1] raised unexpected",
        ),
    ],
)
def test_what_a_library_would_quote_is_left_out(
    log: Log, logger: str, message: str, arguments: tuple[object, ...], event: str
) -> None:
    logging.getLogger(logger).error(message, *arguments)
    [line] = log.lines
    assert line["event"] == event
    assert CANARY not in log.text


def test_what_any_client_can_have_a_library_say_is_said_once_a_second(log: Log) -> None:
    for _ in range(100):
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        logging.getLogger("ingest.tasks").warning("Batch has no task")
    assert len(log.of("uvicorn.error")) == 1
    assert len(log.of("ingest.tasks")) == 100


def test_of_alike_lines_one_a_second_is_written_and_tells_how_many_were_not() -> None:
    now_s = 100.0
    lines = OncePerSecond(lambda: now_s)
    assert [lines.left_out("a") for _ in range(3)] == [0, None, None]
    assert lines.left_out("b") == 0
    now_s = 101.0
    assert [lines.left_out("a") for _ in range(2)] == [2, None]


def in_a_process(code: str, **environment: str) -> str:
    """Return what a process with the project's logging writes to stderr."""
    done = finished("-c", f"import django; django.setup(); import logging; {code}", env=environment, check=True)
    assert done.stdout == ""
    return done.stderr


WARN = "logging.getLogger('a.b').warning('Hello %s', 'there')"


def test_a_process_without_a_terminal_logs_json() -> None:
    assert json.loads(in_a_process(WARN))["event"] == "Hello there"


def test_a_readable_line_in_a_pipe_has_neither_colours_nor_a_time() -> None:
    assert in_a_process(WARN, AXONIZE_LOG_FORMAT="console") == "[warning  ] Hello there [a.b]\n"


def test_the_level_is_a_setting() -> None:
    assert in_a_process(WARN, AXONIZE_LOG_LEVEL="ERROR") == ""


def test_a_format_that_is_none_is_one_sentence() -> None:
    refused = finished("manage.py", "check", env={"AXONIZE_LOG_FORMAT": "xml"})
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "AXONIZE_LOG_FORMAT in the environment is wrong: Must be one of: auto, json, console."
    )


@pytest.mark.parametrize("name", ["django.db.backends", "django.template"])
def test_loggers_that_quote_values_at_debug_stay_above_it(name: str) -> None:
    levels: dict[str, dict[str, str]] = log_config("json", "DEBUG")["loggers"]
    assert levels[name]["level"] == "INFO"


@pytest.fixture
def tenant(db: None) -> Callable[[], Tenant]:  # noqa: ARG001  it must be there
    return lambda: Tenant.objects.get(slug="default")


@override_settings(DEBUG=True)
def test_with_debug_no_statement_is_logged(log: Log, tenant: Callable[[], Tenant]) -> None:
    tenant()
    assert log.of("django.db.backends") == []
