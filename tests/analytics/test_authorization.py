"""Who may ask the API: holders of keys by their scopes, staff by their session, programs on this machine."""

import logging
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.http import HttpResponse, HttpResponseBase
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from registry import authentication, throttling
from registry.keys import Keys
from registry.models import ApiKey, PhysicalGPU
from registry.throttling import KeyThrottle, RequestCounter
from tests.engines import free_ports
from tests.keys import UNKNOWN_KEY, Clock, bearer, elsewhere, make_key, postgres_away

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clickhouse", "queue")]

GPUS = "/api/v1/gpus"
REMOTE = "203.0.113.7"
ALL_SCOPES = ("ingest", "read", "admin")
UNSAFE = ("post", "put", "patch", "delete")

Ask = Callable[..., HttpResponse]


@pytest.fixture
def ask(client: Client) -> Ask:
    """Ask from another machine: `ask(address, key=…, method="post", peer=…, …)`."""

    def send(
        address: str = GPUS,
        *,
        key: str | None = None,
        method: str = "get",
        peer: str = REMOTE,
        headers: dict[str, str] | None = None,
    ) -> HttpResponse:
        sent = (bearer(key) if key is not None else {}) | (headers or {})
        answer: HttpResponse = getattr(client, method)(address, headers=sent, REMOTE_ADDR=peer)
        return answer

    return send


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the test move the time by which the API forgets what it knows of keys, and of Redis."""
    clock = Clock()
    monkeypatch.setattr(authentication, "identify", Keys(clock).identify)
    monkeypatch.setattr(throttling, "_counter", RequestCounter(clock))
    return clock


def refused(answer: HttpResponseBase, status: int, code: str) -> str:
    """Check that it is this refusal, in the one shape of errors; return the sentence."""
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/json"
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == HTTPStatus.UNAUTHORIZED else None)
    body: dict[str, Any] = answer.json()  # type: ignore[attr-defined]  # of the test client's answers
    ((error,), kind) = (body["errors"], body["type"])
    assert (kind, error["code"], error["attr"]) == ("server_error" if status >= 500 else "client_error", code, None)
    return str(error["detail"])


def test_without_a_key_another_machine_is_told_to_send_one(ask: Ask) -> None:
    assert "Authorization: Bearer ax_…" in refused(ask(), 401, "not_authenticated")


@pytest.mark.parametrize("value", ["", "Bearer", "Basic YTpi", f"Bearer {UNKNOWN_KEY}", "Bearer x", "Bearer a b"])
@pytest.mark.parametrize("peer", [REMOTE, "127.0.0.1"])
def test_what_is_no_good_key_is_refused_on_this_machine_too(ask: Ask, value: str, peer: str) -> None:
    refused(ask(peer=peer, headers={"authorization": value}), 401, "authentication_failed")


def test_a_key_opens_the_api_from_another_machine(ask: Ask) -> None:
    assert ask(key=make_key()).status_code == 200
    assert ask(headers={"authorization": f"bearer {make_key()}"}).status_code == 200


@pytest.mark.parametrize("scope", ALL_SCOPES)
def test_to_read_takes_the_scope_read_or_admin(ask: Ask, scope: str) -> None:
    key = make_key(scopes=[scope])
    for method in ("get", "options"):
        answer = ask(key=key, method=method)
        if scope == "ingest":
            assert "`read`" in refused(answer, 403, "permission_denied")
        else:
            assert answer.status_code == 200


@pytest.mark.parametrize("scope", ALL_SCOPES)
@pytest.mark.parametrize("method", UNSAFE)
def test_to_change_anything_takes_the_scope_admin(ask: Ask, scope: str, method: str) -> None:
    answer = ask(key=make_key(scopes=[scope]), method=method)
    if scope == "admin":
        refused(answer, 405, "method_not_allowed")  # nothing can be changed here, but who asks may
    else:
        assert "`admin`" in refused(answer, 403, "permission_denied")


def test_a_revoked_key_is_refused_within_ten_seconds(ask: Ask, clock: Clock) -> None:
    key = make_key()
    assert ask(key=key).status_code == 200
    ApiKey.objects.all().revoke()
    clock.advance(5)
    refused(ask(key=key), 401, "authentication_failed")


def test_an_expired_key_is_refused(ask: Ask) -> None:
    refused(ask(key=make_key(expiry_date=timezone.now() - timedelta(seconds=1))), 401, "authentication_failed")


def test_while_keys_cannot_be_checked_one_is_told_to_come_again(ask: Ask, clock: Clock) -> None:
    del clock
    key = make_key()
    with postgres_away():
        answer = elsewhere(lambda: ask(key=key))
    assert answer["Retry-After"] == "5"
    assert "PostgreSQL" in refused(answer, 503, "unavailable")


def test_this_machine_needs_no_key(ask: Ask) -> None:
    for peer in ("127.0.0.1", "::1"):
        assert ask(peer=peer).status_code == 200
        refused(ask(peer=peer, method="delete"), 405, "method_not_allowed")


def test_this_machine_needs_one_where_the_setting_says_so(ask: Ask, settings: Settings) -> None:
    settings.REQUIRE_API_KEY = True
    refused(ask(peer="127.0.0.1"), 401, "not_authenticated")
    assert ask(peer="127.0.0.1", key=make_key()).status_code == 200


@pytest.mark.parametrize("header", [{"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}])
def test_what_a_proxy_on_this_machine_hands_on_needs_a_key(ask: Ask, header: dict[str, str]) -> None:
    refused(ask(peer="127.0.0.1", headers=header), 401, "not_authenticated")
    assert ask(peer="127.0.0.1", headers=header | bearer(make_key())).status_code == 200


def test_staff_may_read_by_their_session(ask: Ask, client: Client) -> None:
    client.force_login(User.objects.create_user("ops", is_staff=True))
    assert ask().status_code == 200


@pytest.mark.parametrize("fields", [{}, {"is_staff": True, "is_active": False}])
def test_no_other_session_counts(ask: Ask, client: Client, fields: dict[str, Any]) -> None:
    client.force_login(User.objects.create_user("guest", **fields))
    refused(ask(), 401, "not_authenticated")


def test_a_key_that_is_sent_counts_more_than_a_session(ask: Ask, client: Client) -> None:
    client.force_login(User.objects.create_user("ops", is_staff=True))
    refused(ask(key=UNKNOWN_KEY), 401, "authentication_failed")
    refused(ask(key=make_key(scopes=["ingest"])), 403, "permission_denied")


@pytest.mark.parametrize("peer", [REMOTE, "127.0.0.1"])
def test_by_a_session_nobody_changes_anything_without_its_csrf_token(peer: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("ops", is_staff=True))
    assert "CSRF" in refused(client.delete(GPUS, REMOTE_ADDR=peer), 403, "permission_denied")

    client.get("/admin/password_change/")  # a page with a form, which sets the cookie
    token = client.cookies["csrftoken"].value
    refused(client.delete(GPUS, headers={"x-csrftoken": token}, REMOTE_ADDR=peer), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "address", ["/healthz", "/readyz", "/api/schema", "/api/docs", "/api/docs?script=", "/", "/favicon.ico"]
)
def test_health_and_documentation_are_open(ask: Ask, address: str) -> None:
    assert ask(address).status_code in {200, 302}


def test_an_address_that_does_not_exist_is_no_secret(ask: Ask) -> None:
    refused(ask("/api/v1/nothing"), 404, "not_found")


def documented(client: Client) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(client.get("/api/schema").content)
    return document


def test_no_address_of_the_api_is_open_by_mistake(ask: Ask, client: Client) -> None:
    paths = {path: methods for path, methods in documented(client)["paths"].items() if path.startswith("/api/v1/")}
    assert len(paths) >= 14
    reader, sender = make_key(scopes=["read"]), make_key(scopes=["ingest"])
    for path, methods in paths.items():
        address = path.replace("{", "").replace("}", "")
        for method in methods:
            refused(ask(address, method=method), 401, "not_authenticated")
            refused(ask(address, method=method, key=sender), 403, "permission_denied")
            if method in UNSAFE:
                assert "`admin`" in refused(ask(address, method=method, key=reader), 403, "permission_denied")


def test_a_key_with_the_scope_admin_changes_what_its_tenant_has(client: Client) -> None:
    sent = {"headers": bearer(make_key("vision-lab", scopes=["admin"])), "REMOTE_ADDR": REMOTE}
    cards = "/api/v1/physical-gpus"
    created = client.post(cards, {"uuid": "GPU-1"}, content_type="application/json", **sent)  # type: ignore[arg-type]
    assert created.status_code == 201
    assert PhysicalGPU.objects.get().tenant.slug == "vision-lab"
    assert client.delete(f"{cards}/GPU-1", **sent).status_code == 204  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("peer", [REMOTE, "127.0.0.1"])
def test_staff_change_something_by_their_session_and_its_csrf_token(peer: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("ops", is_staff=True))
    client.get("/admin/password_change/")
    token = {"x-csrftoken": client.cookies["csrftoken"].value}
    statuses = [
        client.post(
            "/api/v1/physical-gpus",
            {"uuid": "GPU-1"},
            content_type="application/json",
            headers=headers,
            REMOTE_ADDR=peer,
        ).status_code
        for headers in ({}, token | {"origin": "http://evil.example"}, token)
    ]
    assert statuses == [403, 403, 201]


def test_the_documentation_says_how_to_send_a_key_and_what_refusals_there_are(client: Client) -> None:
    document = documented(client)
    schemes = document["components"]["securitySchemes"]
    assert (schemes["key"]["type"], schemes["key"]["scheme"]) == ("http", "bearer")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/api/v1/"):
                assert {"key": []} in operation["security"]
                assert {"401", "403", "429", "503"} <= operation["responses"].keys()
            else:
                assert not operation.get("security"), path
                assert not {"401", "403", "429"} & operation["responses"].keys()


def test_the_metrics_are_for_who_may_read(ask: Ask, client: Client) -> None:
    refused(ask("/metrics"), 401, "not_authenticated")
    refused(ask("/metrics", key=make_key(scopes=["ingest"])), 403, "permission_denied")
    client.force_login(User.objects.create_user("ops", is_staff=True))
    scrapers = (ask("/metrics", key=make_key()), ask("/metrics"), Client().get("/metrics"))
    for answer in scrapers:
        assert answer.status_code == 200
        assert b"django_http_requests_before_middlewares_total" in answer.content


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "application/openmetrics-text; version=1.0.0"])
def test_the_metrics_come_whatever_a_scraper_accepts(client: Client, accept: str) -> None:
    answer = client.get("/metrics", headers={"accept": accept})
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, "text/plain")


def test_a_dashboard_of_a_named_origin_may_send_a_key(ask: Ask, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://dashboard.example"]
    origin = {"origin": "https://dashboard.example"}
    before = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    answer = ask(method="options", headers=origin | before)
    assert answer.status_code == 200
    assert "authorization" in answer["Access-Control-Allow-Headers"]
    assert ask(headers=origin)["Access-Control-Allow-Origin"] == origin["origin"], "it may read why it is refused"


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Hold the time of day at half past a minute, which the test chooses."""

    def hold(number: int) -> None:
        monkeypatch.setattr(KeyThrottle, "timer", staticmethod(lambda: 60.0 * number + 29.5))

    hold(1000)
    return hold


def test_a_key_that_asks_too_often_is_told_when_to_come_again(
    ask: Ask, clock: Clock, minute: Callable[[int], None]
) -> None:
    del clock
    key, other = make_key(requests_per_minute=2), make_key(requests_per_minute=2)
    assert [ask(key=key).status_code for _ in range(2)] == [200, 200]
    answer = ask(key=key)
    assert answer["Retry-After"] == "31"
    refused(answer, 429, "throttled")
    assert ask(key=other).status_code == 200, "each has a limit of its own"
    minute(1001)
    assert ask(key=key).status_code == 200


@pytest.mark.usefixtures("minute", "clock")
def test_the_setting_limits_keys_that_have_no_limit_of_their_own(ask: Ask, settings: Settings) -> None:
    settings.REQUESTS_PER_MINUTE = 1
    key, unlimited, generous = make_key(), make_key(requests_per_minute=0), make_key(requests_per_minute=2)
    assert [ask(key=key).status_code for _ in range(2)] == [200, 429]
    assert [ask(key=unlimited).status_code for _ in range(3)] == [200] * 3
    assert [ask(key=generous).status_code for _ in range(3)] == [200, 200, 429]
    settings.REQUESTS_PER_MINUTE = 0
    assert ask(key=key).status_code == 200


@pytest.mark.usefixtures("minute", "clock")
def test_who_needs_no_key_is_not_limited(ask: Ask, client: Client, settings: Settings) -> None:
    settings.REQUESTS_PER_MINUTE = 1
    assert [ask(peer="127.0.0.1").status_code for _ in range(3)] == [200] * 3
    client.force_login(User.objects.create_user("ops", is_staff=True))
    assert [ask().status_code for _ in range(3)] == [200] * 3


@pytest.mark.usefixtures("minute")
def test_while_redis_is_away_nobody_is_limited_and_the_log_says_so_once(
    ask: Ask, clock: Clock, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_key(requests_per_minute=1)
    there = settings.CACHES
    away = there["default"] | {"LOCATION": f"redis://127.0.0.1:{free_ports(1)[0]}/0"}
    warned = []
    for _ in range(2):
        settings.CACHES = {"default": away}
        for _ in range(4):
            clock.advance(3)
            assert ask(key=key).status_code == 200
        settings.CACHES = there
        clock.advance(5)
        ask(key=key)
        refused(ask(key=key), 429, "throttled")
        clock.advance(5)
        warned.append([record.levelno for record in caplog.records if record.name == "registry.throttling"])
    assert warned == [[logging.WARNING], [logging.WARNING] * 2]
