"""The stores' passwords: from the environment to the drivers as they are, and to nowhere else."""

import re
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import redis
from django.test import override_settings
from django.views.debug import SafeExceptionReporterFilter, get_default_exception_reporter_filter
from kombu import Connection

from axonize.clickhouse import client
from axonize.embedded import engines
from axonize.stores import STORES, password_of, with_password
from ingest import queue as batches
from tests.engines import ports_of_a_stack
from tests.processes import Process, running, wait_until
from tests.settings_file import read_settings

ODD = "p@ss:/?#[]%20%+ &='\"\\$ü€✓"
URLS = {
    "DATABASE": "postgresql://axonize@db.example:5433/spans",
    "REDIS": "redis://cache.example:6380/2",
    "CLICKHOUSE": "https://axonize@ch.example:8443/spans",
}


def with_passwords(password: str) -> dict[str, Any]:
    variables = {f"{prefix}_URL": url for prefix, url in URLS.items()}
    return read_settings(variables | {f"{prefix}_PASSWORD": password for prefix in URLS})


@pytest.mark.parametrize("password", [ODD, "plain", "%41", "a b", "@", ":"])
def test_whatever_is_in_a_password_each_driver_gets_it_as_it_is(password: str) -> None:
    read = with_passwords(password)
    database = read["DATABASES"]["default"]
    assert (database["USER"], database["PASSWORD"], database["HOST"], database["PORT"], database["NAME"]) == (
        "axonize", password, "db.example", 5433, "spans",
    )  # fmt: skip
    pool = redis.ConnectionPool.from_url(read["REDIS_URL"]).connection_kwargs
    assert (pool["password"], pool["host"], pool["port"], pool["db"]) == (password, "cache.example", 6380, 2)
    assert read["CACHES"]["default"]["LOCATION"] == read["REDIS_URL"]
    broker = Connection(read["CELERY_BROKER_URL"])
    assert (broker.password, broker.hostname, broker.port, broker.virtual_host) == (
        password,
        "cache.example",
        6380,
        "2",
    )
    with override_settings(CLICKHOUSE_URL=read["CLICKHOUSE_URL"]):
        assert client.credentials() == ("axonize", password)
        assert client.database_name() == "spans"


@pytest.mark.parametrize(
    ("url", "filled_in"),
    [
        ("redis://host", "redis://:p%2Fw@host"),
        ("redis://user@host", "redis://user:p%2Fw@host"),
        ("redis://user:@host", "redis://user:p%2Fw@host"),
        ("unix:///run/redis.sock?db=1", "unix://:p%2Fw@/run/redis.sock?db=1"),
        ("http://[::1]:8123/spans", "http://:p%2Fw@[::1]:8123/spans"),
        ("postgresql://a%40b@%2Frun/spans?sslmode=require", "postgresql://a%40b:p%2Fw@%2Frun/spans?sslmode=require"),
        ("redis://:own@host", "redis://:own@host"),
        ("redis://host?password=own", "redis://host?password=own"),
        ("", ""),
    ],
)
def test_a_password_is_filled_in_where_the_url_has_none(url: str, filled_in: str) -> None:
    assert with_password(url, "p/w") == filled_in
    assert with_password(url, "") == url
    assert password_of(filled_in) == {"": ""}.get(url, "own" if "own" in url else "p/w")


def test_the_embedded_engines_are_asked_without_a_password() -> None:
    alone = read_settings({})
    told = read_settings({f"{store.prefix}_PASSWORD": "p/w" for store in STORES})
    assert [told[store.url] for store in STORES] == [alone[store.url] for store in STORES]


def test_the_embedded_engines_are_found_wherever_the_data_directory_is() -> None:
    read = read_settings({"AXONIZE_DATA_DIR": "/Data of: %41?#é"})
    sockets = "/Data of: %41?#é/run"
    assert read["DATABASES"]["default"]["HOST"] == sockets
    assert redis.ConnectionPool.from_url(read["REDIS_URL"]).connection_kwargs["path"] == f"{sockets}/redis.sock"
    with (
        Connection(read["CELERY_BROKER_URL"]) as broker,
        pytest.raises(redis.ConnectionError, match=re.escape(sockets)),
    ):
        broker.connect()


def test_redis_lets_in_who_has_its_odd_password(queue: redis.Redis, settings: Any) -> None:
    address = settings.REDIS_URL
    queue.acl_setuser("careful", enabled=True, passwords=[f"+{ODD}"], keys=["*"], categories=["+@all"])
    try:
        named = address.replace("unix://", "unix://careful@")
        read = read_settings({"REDIS_URL": named, "REDIS_PASSWORD": ODD})
        settings.REDIS_URL = read["REDIS_URL"]
        assert batches.connect().acl_whoami() in {"careful", b"careful"}
        with Connection(read["CELERY_BROKER_URL"]) as broker:
            channel: Any = broker.channel()
            assert channel.client.acl_whoami() in {"careful", b"careful"}
        settings.REDIS_URL = read_settings({"REDIS_URL": named, "REDIS_PASSWORD": "other"})["REDIS_URL"]
        with pytest.raises(redis.AuthenticationError):
            batches.connect().ping()
    finally:
        queue.acl_deluser("careful")


NOWHERE = {
    "DATABASE_URL": "postgresql://axonize@127.0.0.1:1/spans",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "CLICKHOUSE_URL": "http://axonize@127.0.0.1:1/spans",
    "AXONIZE_LOG_LEVEL": "DEBUG",
} | {store.password: "hunter2/@:%" for store in STORES}


@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "migrate_clickhouse"),
        ("manage.py", "create_api_key", "any"),
    ],
    ids=lambda command: command[-1],
)
def test_no_command_that_finds_no_store_tells_a_password(command: tuple[str, ...]) -> None:
    process = Process(*command, env=NOWHERE)
    process.wait(60)
    assert process.output.strip(), "it said something"
    assert "hunter2" not in process.output


@pytest.mark.parametrize(
    ("command", "until"),
    [
        (("-m", "celery", "--app=axonize", "worker", "--pool=solo", "--loglevel=DEBUG"), "Cannot connect to redis"),
        (("-m", "celery", "--app=axonize", "beat", "--schedule=/dev/null", "--pidfile="), "Connection error"),
        (("manage.py", "receive_otlp"), "OTLP/gRPC on"),
    ],
    ids=["worker", "beat", "receiver"],
)
def test_no_process_that_finds_no_store_tells_a_password(command: tuple[str, ...], until: str, tmp_path: Path) -> None:
    schedule = str(tmp_path / "schedule")
    arguments = [argument.replace("/dev/null", schedule) for argument in command]
    with running(*arguments, env=NOWHERE | ports_of_a_stack(), until=until) as process:
        pass
    assert "hunter2" not in process.output


def page(address: str) -> Any:
    try:
        return urlopen(address, timeout=60)
    except HTTPError as failed:
        return failed


def test_the_web_process_that_finds_no_store_tells_no_password() -> None:
    ports = ports_of_a_stack()
    with running("-m", "gunicorn", "axonize.wsgi", env=NOWHERE | ports, until="") as process:
        address = f"http://127.0.0.1:{ports['AXONIZE_WEB_PORT']}"
        wait_until(lambda: engines.http_answers(f"{address}/healthz"))
        for path in ("/readyz", "/api/v1/gpus", "/"):
            with page(f"{address}{path}") as answer:
                assert "hunter2" not in answer.read().decode()
    assert "hunter2" not in process.output


def test_the_error_pages_of_debug_hide_passwords_in_urls(settings: Any) -> None:
    read = with_passwords(ODD)
    for name in ("DATABASE_URL", "REDIS_URL", "CLICKHOUSE_URL", "CELERY_BROKER_URL"):
        setattr(settings, name, read[name])
    settings.DEBUG = True
    reporter = get_default_exception_reporter_filter()
    assert type(reporter) is not SafeExceptionReporterFilter
    assert reporter.cleanse_setting("any", "redis://a/0?password=hunter2&x=1") == "redis://a/0?password=***&x=1"
    shown = repr(reporter.get_safe_settings())
    assert "redis://:***@cache.example:6380/2" in shown
    assert [form for form in (ODD, quote(ODD, safe="")) if form in shown] == []
