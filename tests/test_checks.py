"""What `manage.py check` finds in settings that are each right by themselves."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, Error, run_checks

from axonize import checks, tls
from axonize.environment import DOCUMENTED
from axonize.start import StartRefused
from tests.engines import ports_of_a_stack
from tests.processes import ROOT, Process, running


def told(check: Callable[..., list[CheckMessage]]) -> list[str]:
    """Return what a check says, each problem with its id."""
    for message in (messages := check()):
        assert "\n" not in message.msg
    return [f"{message.id} {message.msg}" for message in messages]


def test_the_settings_of_this_machine_have_nothing_wrong() -> None:
    assert [
        message for message in run_checks(include_deployment_checks=False) if str(message.id).startswith("axonize")
    ] == []


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("AXONIZE_BNID", "did you mean AXONIZE_BIND?"),
        ("AXONIZE_WEBPORT", "did you mean AXONIZE_WEB_PORT?"),
        ("AXONIZE_DATABASE_URL", "did you mean DATABASE_URL?"),
        ("AXONIZE_SECRET_KEY_FILE", "did you mean SECRET_KEY_FILE?"),
        ("AXONIZE_FROBNICATE", "docs/configuration.md lists those that are."),
    ],
)
def test_a_misspelt_setting_is_told_with_what_was_meant(
    name: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "hunter2")
    assert told(checks.unknown_variables) == [f"axonize.W001 {name} in the environment is no setting; {advice}"]


def test_the_key_of_the_examples_is_nothing_to_warn_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONIZE_KEY", "ax_key")
    assert told(checks.unknown_variables) == []


def test_a_certificate_without_its_key_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.TLS_CERT_FILE = str(tmp_path / "cert.pem")
    with pytest.raises(StartRefused) as refused:
        tls.configured()
    assert told(checks.tls_files) == [f"axonize.E001 {refused.value}"]
    assert isinstance(checks.tls_files()[0], Error)


def test_static_files_that_nobody_collected_are_told(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = str(tmp_path)
    assert told(checks.static_files) == [
        f"axonize.W006 AXONIZE_STATIC_ROOT is {tmp_path}, and no static files are there: run `manage.py collectstatic`."
    ]
    (tmp_path / "staticfiles.json").touch()
    assert told(checks.static_files) == []


def test_limits_that_can_not_be_reached_are_told(settings: Any) -> None:
    settings.OTLP_MAX_REQUEST_BYTES, settings.BATCH_MAX_BYTES, settings.QUEUE_MAX_BYTES = 10, 20, 20
    assert told(checks.sizes) == []
    settings.BATCH_MAX_BYTES = 21
    [batch] = told(checks.sizes)
    assert batch.startswith("axonize.W002 AXONIZE_BATCH_MAX_BYTES is more than AXONIZE_QUEUE_MAX_BYTES")
    settings.OTLP_MAX_REQUEST_BYTES = 21
    [_, request] = told(checks.sizes)
    assert request.startswith("axonize.W003 AXONIZE_OTLP_MAX_REQUEST_BYTES is more than AXONIZE_QUEUE_MAX_BYTES")


def test_a_password_that_does_not_count_is_told(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "hunter2")
    [sentence] = told(checks.unused_passwords)
    assert sentence == (
        "axonize.W004 REDIS_PASSWORD is not used, for REDIS_URL is not set and the embedded Redis asks for none: "
        "set REDIS_URL, or unset the password."
    )
    monkeypatch.setenv("REDIS_URL", "redis://:other@host")
    settings.REDIS_URL = "redis://:other@host"
    [sentence] = told(checks.unused_passwords)
    assert sentence.endswith("REDIS_URL has a password in it: leave one of the two out.")
    settings.REDIS_URL = "redis://:hunter2@host"
    assert told(checks.unused_passwords) == []


def test_https_without_who_ends_it_is_told(settings: Any) -> None:
    settings.HTTPS = True
    [sentence] = told(checks.https_behind_a_proxy)
    assert sentence.startswith(
        "axonize.W005 AXONIZE_HTTPS is set without a certificate and without AXONIZE_TRUST_PROXY"
    )
    settings.TRUST_PROXY = True
    assert told(checks.https_behind_a_proxy) == []
    settings.TRUST_PROXY, settings.TLS_CERT_FILE = False, "cert.pem"
    assert told(checks.https_behind_a_proxy) == []


def test_each_check_is_in_the_docs_and_the_reverse() -> None:
    named = re.compile(r"axonize\.[EW]\d{3}")
    assert sorted(named.findall((ROOT / DOCUMENTED).read_text())) == sorted(
        named.findall((ROOT / "axonize" / "checks.py").read_text())
    )


def test_a_command_tells_them_and_goes_on() -> None:
    environ = {"AXONIZE_BNID": "0.0.0.0", "AXONIZE_HTTPS": "true"}  # noqa: S104 - it is what does not count
    process = Process("manage.py", "check", env=environ)
    assert process.wait(60) == 0
    assert "(axonize.W001) AXONIZE_BNID in the environment is no setting; did you mean AXONIZE_BIND?" in process.output
    assert "W005" not in process.output, "only --deploy asks how browsers come"


def test_a_receiver_tells_them_and_goes_on(queue: object) -> None:  # noqa: ARG001  it must be there
    environ = {**ports_of_a_stack(), "AXONIZE_BNID": "::"}
    with running("manage.py", "receive_otlp", env=environ, until="OTLP/gRPC on") as receiver:
        assert "(axonize.W001) AXONIZE_BNID in the environment is no setting" in receiver.output


def test_check_deploy_tells_them_all() -> None:
    process = Process("manage.py", "check", "--deploy", env={"AXONIZE_HTTPS": "true", "AXONIZE_TLS_KEY_FILE": "k.pem"})
    assert process.wait(60) == 1
    assert "(axonize.W005)" in process.output
    assert "(axonize.E001) TLS needs both AXONIZE_TLS_CERT_FILE and AXONIZE_TLS_KEY_FILE" in process.output
