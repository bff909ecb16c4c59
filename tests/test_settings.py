"""Values of settings: from the environment or a file, passwords apart from URLs, and one sentence for a wrong one."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
import redis
from django.test import override_settings
from django.views.debug import SafeExceptionReporterFilter, get_default_exception_reporter_filter
from kombu import Connection  # type: ignore[import-untyped]  # it ships no types

from axonize.clickhouse import client
from axonize.environment import DOCUMENTED, Environment
from axonize.setting import Setting
from axonize.stores import STORES, password_of, with_password
from ingest import queue as batches
from tests.processes import Process
from tests.settings_file import environment, read_settings

RECORDED = environment().recorded
SECRETS = [name for name, setting in RECORDED.items() if setting.secret]
# One of these is wrong for every type that has a wrong value
NONSENSE = ["a b", "-1", "99999999", "https://", "/", __file__]
ODD = "p@ss:/?#[]%20%+ &='\"\\$ü€✓"
URLS = {
    "DATABASE": "postgresql://axonize@db.example:5433/spans",
    "REDIS": "redis://cache.example:6380/2",
    "CLICKHOUSE": "https://axonize@ch.example:8443/spans",
}


def refusal(environ: Mapping[str, str]) -> str:
    """Return what ends a process with these variables, an empty text where nothing does."""
    try:
        read_settings(environ)
    except SystemExit as ended:
        return str(ended.code)
    return ""


@pytest.mark.parametrize(
    "setting",
    [setting for setting in RECORDED.values() if not (setting.secret and setting.type == "text")],
    ids=lambda setting: setting.name,
)
def test_a_wrong_value_of_any_setting_is_one_sentence_that_names_it(setting: Setting) -> None:
    refusals = [told for value in NONSENSE if (told := refusal({setting.name: value}))]
    assert refusals, f"{setting.name} takes anything: give it a `validate=`, for nobody should find out later."
    form = re.compile(rf"{setting.name} in the environment is wrong: [^\n]+\. {DOCUMENTED} lists the settings [^\n]+\.")
    assert [told for told in refusals if not form.fullmatch(told)] == []
    assert refusal({setting.name: ""}) == "", "empty is not set"


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("AXONIZE_BIND", "any where", "'any where' is neither an IP address nor a host name."),
        ("ALLOWED_HOSTS", "a.example, https://b.example", "'https://b.example' is not a host name: name it without"),
        ("ALLOWED_HOSTS", "a.example:8000", "'a.example:8000' is not a host name: name it without"),
        ("CSRF_TRUSTED_ORIGINS", "a.example", "'a.example' is not an origin like https://dashboard.example."),
        ("AXONIZE_CORS_ORIGINS", "https://a.example/", "'https://a.example/' is not an origin like"),
        ("AXONIZE_DATA_DIR", __file__, f"{__file__} is not a directory."),
        ("AXONIZE_TLS_CERT_FILE", "/", "/ is a directory, not a file."),
        ("REDIS_URL", "redis:", "Not a URL that begins with redis:// or rediss:// or unix://."),
    ],
)
def test_a_wrong_value_is_told_with_what_is_wrong_about_it(variable: str, value: str, why: str) -> None:
    assert f"{variable} in the environment is wrong: {why}" in refusal({variable: value})


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        (
            "ALLOWED_HOSTS",
            "a.example, .b.example,[::1],10.0.0.1,*",
            ["a.example", ".b.example", "[::1]", "10.0.0.1", "*"],
        ),
        ("CSRF_TRUSTED_ORIGINS", "https://*.a.example, http://b:8000", ["https://*.a.example", "http://b:8000"]),
    ],
)
def test_what_stands_between_commas_is_taken_without_spaces(variable: str, value: str, read: list[str]) -> None:
    assert read_settings({variable: value})[variable] == read


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "::1", "localhost", "receiver-0.axonize.svc"])  # noqa: S104
def test_an_address_or_a_name_can_be_listened_on(bind: str) -> None:
    assert read_settings({"AXONIZE_BIND": bind})["BIND"] == bind


@pytest.mark.parametrize("name", SECRETS)
class TestASecretInAFile:
    """Each secret NAME can come in the file that NAME_FILE names."""

    @staticmethod
    def value(name: str) -> str:
        return next((url for prefix, url in URLS.items() if name == f"{prefix}_URL"), ODD)

    @pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=repr)
    def test_it_is_read_without_the_end_of_its_line(self, name: str, end: str, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_bytes(f"{self.value(name)}{end}".encode())
        environ = {f"{name}_FILE": str(file), name: ""}
        assert refusal(environ) == ""
        with mock.patch.dict(os.environ, environ):
            assert Environment().secret(name, "") == self.value(name)

    def test_to_set_both_is_refused(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(self.value(name))
        told = refusal({f"{name}_FILE": str(tmp_path / "secret"), name: self.value(name)})
        assert told.startswith(
            f"{name}_FILE in the environment is wrong: {name} is set too, and only one of them can count."
        )

    @pytest.mark.parametrize("content", [b"", b"\n", b" \n\n"], ids=repr)
    def test_an_empty_one_is_refused(self, name: str, content: bytes, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_bytes(content)
        assert f"{name}_FILE in the environment is wrong: {file} is empty." in refusal({f"{name}_FILE": str(file)})

    @pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b"], ids=repr)
    def test_one_that_is_no_text_is_refused(self, name: str, content: bytes, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_bytes(content)
        assert f"{name}_FILE in the environment is wrong: {file} is not text" in refusal({f"{name}_FILE": str(file)})

    def test_one_that_is_not_there_is_refused(self, name: str, tmp_path: Path) -> None:
        told = refusal({f"{name}_FILE": str(tmp_path / "none")})
        assert f"{name}_FILE in the environment is wrong: {tmp_path / 'none'} can't be read (No such file" in told
        assert "(Is a directory)" in refusal({f"{name}_FILE": str(tmp_path)})


def test_a_wrong_url_in_a_file_is_told_without_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://user:hunter2@host/0")
    told = refusal({"REDIS_URL_FILE": str(tmp_path / "url")})
    assert told.startswith("REDIS_URL_FILE in the environment is wrong: Not a URL that begins with redis://")
    assert "hunter2" not in told


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
            assert broker.default_channel.client.acl_whoami() in {"careful", b"careful"}
        settings.REDIS_URL = read_settings({"REDIS_URL": named, "REDIS_PASSWORD": "other"})["REDIS_URL"]
        with pytest.raises(redis.AuthenticationError):
            batches.connect().ping()
    finally:
        queue.acl_deluser("careful")


SHELL = "hunter2/@:%"


@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "check"),
        ("manage.py", "migrate_clickhouse"),
        ("manage.py", "create_api_key", "any"),
        ("-m", "celery", "--app=axonize", "inspect", "ping", "--timeout=1"),
    ],
    ids=lambda command: command[-1],
)
def test_no_command_that_finds_no_store_tells_a_password(command: tuple[str, ...]) -> None:
    environ = {
        "DATABASE_URL": "postgresql://axonize@127.0.0.1:1/spans",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "CLICKHOUSE_URL": "http://axonize@127.0.0.1:1/spans",
        "AXONIZE_LOG_LEVEL": "DEBUG",
    } | {store.password: SHELL for store in STORES}
    process = Process(*command, env=environ)
    process.wait(60)
    assert process.output.strip(), "it said something"
    assert [form for form in (SHELL, quote(SHELL, safe=""), "hunter2") if form in process.output] == []


def test_the_error_pages_of_debug_hide_passwords_in_urls(settings: Any) -> None:
    read = with_passwords(ODD)
    for name in ("DATABASE_URL", "REDIS_URL", "CLICKHOUSE_URL", "CELERY_BROKER_URL"):
        setattr(settings, name, read[name])
    settings.DEBUG = True
    reporter = get_default_exception_reporter_filter()
    assert type(reporter) is not SafeExceptionReporterFilter
    shown = repr(reporter.get_safe_settings())
    assert "redis://:***@cache.example:6380/2" in shown
    assert [form for form in (ODD, quote(ODD, safe="")) if form in shown] == []
