"""What browsers are told, what the production profile asks for, and what error pages keep to themselves."""

import re
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from pytest_django import Settings

from axonize.urls import handler400, handler403, handler404, handler500, urlpatterns as real_urlpatterns
from tests.keys import elsewhere, postgres_away
from tests.processes import finished
from tests.settings_file import read_settings

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

STRONG = "k3y-of-tests." * 5


def broken(_request: HttpRequest) -> HttpResponse:
    raise OperationalError("FATAL: password authentication failed for user hunter2")


urlpatterns = [path("pages/broken", broken), path("api/broken", broken), *real_urlpatterns]


def directives(answer: Any) -> dict[str, str]:
    policy = answer["Content-Security-Policy"]
    return dict((*directive.split(" ", 1), "")[:2] for directive in policy.split("; "))


# What a page may do beyond the strict policy, by the page: Swagger UI has a style element, Alpine compiles expressions.
LOOSENED = {
    "/api/docs": {"style-src": "'self' 'unsafe-inline'"},
    "/admin/login/": {"script-src": "'self' 'unsafe-eval'", "style-src-attr": "'unsafe-inline'"},
}
PAGES = ["/healthz", "/admin/login/", "/api/nope", "/api/docs", "/nothing", "/static/axonize/icon.svg"]


@pytest.mark.django_db
@pytest.mark.parametrize("page", PAGES)
def test_every_answer_tells_browsers_to_be_strict(client: Client, page: str) -> None:
    answer = client.get(page)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]
    policy = directives(answer)
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    loosened = {name: rule for name, rule in policy.items() if "unsafe" in rule or name == "script-src"}
    assert loosened == LOOSENED.get(page, {}), "else the default holds: no inline script, none from elsewhere"
    answer.close()


@pytest.mark.django_db
def test_frames_are_denied_to_browsers_that_know_no_policy(client: Client) -> None:
    assert client.get("/admin/login/")["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/api/docs", "/admin/login/"])
def test_no_page_has_a_script_in_itself(client: Client, page: str) -> None:
    text = client.get(page).content.decode()
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", text, flags=re.DOTALL)
    assert scripts
    assert all("src=" in attributes and not content.strip() for attributes, content in scripts)
    assert re.findall(r"\son\w+=", text) == []


def test_the_script_of_the_api_docs_is_a_file_of_its_own(client: Client) -> None:
    [address] = re.findall(r'<script src="(/api/docs[^"]*)"', client.get("/api/docs").content.decode())
    script = client.get(address)
    assert script["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle" in script.content.decode()


def test_an_unknown_page_says_nothing_of_the_inside(client: Client) -> None:
    answer = client.get("/nothing")
    assert answer.status_code == 404
    assert len(answer.content) < 300
    assert "nothing" not in answer.content.decode()


def under(env: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return finished(*command, env=env)


def settings_under(env: Mapping[str, str], *names: str) -> list[Any]:
    """Return settings as a process with these variables sees them."""
    read = read_settings(env)
    return [read[name] for name in names]


def test_the_production_profile_passes_djangos_own_examination() -> None:
    proxied = {"AXONIZE_HTTPS": "true", "AXONIZE_TRUST_PROXY": "true"}
    env = {"SECRET_KEY": STRONG, "ALLOWED_HOSTS": "axonize.example", **proxied}
    ended = under(env, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert ended.returncode == 0, ended.stderr
    assert under({**env, "SECRET_KEY": ""}, "manage.py", "check", "--deploy", "--fail-level", "WARNING").returncode == 1


@pytest.mark.parametrize(
    ("env", "https"),
    [({}, False), ({"AXONIZE_TLS_CERT_FILE": "a.pem"}, True), ({"AXONIZE_HTTPS": "true"}, True)],
    ids=["plain", "certificate", "said so"],
)
def test_https_is_asked_for_where_it_is_there(env: dict[str, str], https: bool) -> None:
    names = ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS")
    assert settings_under(env, *names) == [https, https, https, 31_536_000 if https else 0]


def test_a_proxy_is_believed_only_where_the_setting_says_so() -> None:
    names = ("SECURE_PROXY_SSL_HEADER", "REQUIRE_API_KEY")
    assert settings_under({}, *names) == [None, False]
    trusted = settings_under({"AXONIZE_TRUST_PROXY": "true"}, *names)
    assert trusted == [("HTTP_X_FORWARDED_PROTO", "https"), True], "who comes through a proxy is not on this machine"


def test_what_a_database_url_asks_for_is_kept() -> None:
    env = {"DATABASE_URL": "postgresql://a@host/b?sslmode=verify-full"}
    [databases] = settings_under(env, "DATABASES")
    assert databases["default"]["OPTIONS"]["sslmode"] == "verify-full"
    assert databases["default"]["OPTIONS"]["options"] == "-c statement_timeout=20s"


def test_pages_are_redirected_to_https_and_probes_are_not(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    redirected = client.get("/api/docs")
    assert (redirected.status_code, redirected["Location"]) == (301, "https://testserver/api/docs")
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code != 301
    assert client.get("/api/docs", secure=True)["Strict-Transport-Security"].startswith("max-age=31536000")


@pytest.fixture
def browser() -> Client:
    """Return a client that answers errors as the server would, with a session that has to be looked up."""
    browser = Client(raise_request_exception=False)
    browser.cookies["sessionid"] = "a" * 32
    return browser


@pytest.mark.parametrize("address", ["/admin/", "/admin/registry/tenant/", "/pages/broken", "/api/broken"])
@pytest.mark.django_db
@override_settings(ROOT_URLCONF="tests.test_security")
def test_a_page_whose_database_is_away_says_so_and_no_more(browser: Client, address: str) -> None:
    with postgres_away():
        answer = elsewhere(lambda: browser.get(address))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    detail = "PostgreSQL does not answer. Try again in a few seconds."
    if address.startswith("/api/"):
        assert answer.json()["errors"] == [{"code": "unavailable", "detail": detail, "attr": None}]
    else:
        assert answer.content.decode() == detail
