"""Values of settings: from the environment or a file, and one sentence for a wrong one."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import pytest

from axonize.environment import DOCUMENTED, Environment
from axonize.setting import Setting
from tests.settings_file import environment, read_settings

RECORDED = environment().recorded
SECRETS = [name for name, setting in RECORDED.items() if setting.secret]
# One of these is wrong for every type that has a wrong value
NONSENSE = ["a b", "-1", "99999999", "https://", "/", __file__]
VALUES = {
    "DATABASE_URL": "postgresql://axonize@db.example:5433/spans",
    "REDIS_URL": "redis://cache.example:6380/2",
    "CLICKHOUSE_URL": "https://axonize@ch.example:8443/spans",
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


def value_of(name: str) -> str:
    return VALUES.get(name, ' ="p@ss: /ü✓ ')


@pytest.mark.parametrize("name", SECRETS)
class TestASecretInAFile:
    """Each secret NAME can come in the file that NAME_FILE names."""

    @pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=repr)
    def test_it_is_read_without_the_end_of_its_line(self, name: str, end: str, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_bytes(f"{value_of(name)}{end}".encode())
        environ = {f"{name}_FILE": str(file), name: ""}
        assert refusal(environ) == ""
        with mock.patch.dict(os.environ, environ):
            assert Environment().secret(name, "") == value_of(name)

    def test_to_set_both_is_refused(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(value_of(name))
        told = refusal({f"{name}_FILE": str(tmp_path / "secret"), name: value_of(name)})
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
