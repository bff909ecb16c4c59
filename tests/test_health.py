"""/healthz, /readyz and /metrics."""

import socket
import threading
from collections.abc import Iterator

import pytest
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

from axonize.clickhouse import client as clickhouse
from axonize.health import checks
from tests.engines import free_ports

READY = {"clickhouse": "ok", "postgres": "ok", "redis": "ok", "migrations": "ok"}


def test_the_process_lives_without_any_engine(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_probes_take_no_other_method(client: Client) -> None:
    for address in ("/healthz", "/readyz"):
        answer = client.post(address)
        assert (answer.status_code, answer.json()["type"]) == (405, "client_error")


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse_schema")
def test_with_every_engine_there_and_migrated_it_is_ready(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": READY})


@pytest.mark.django_db
def test_without_clickhouse_it_is_unavailable_and_says_so(client: Client, clickhouse_url: Settings) -> None:
    clickhouse_url.CLICKHOUSE_URL = f"http://127.0.0.1:{free_ports(1)[0]}/axonize"
    answer = client.get("/readyz")
    away = {"clickhouse": "unavailable", "migrations": "unavailable"}
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "checks": {**READY, **away}})


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse_schema")
def test_without_redis_it_is_unavailable_and_says_so(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {**READY, "redis": "unavailable"})


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse_schema")
def test_without_postgres_it_is_unavailable_and_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(connections.settings["default"], "HOST", "/nowhere")
        patch.setitem(connections.settings["default"], "OPTIONS", {})  # no pool, which would still hold connections
        answer = client.get("/readyz")
    away = {"postgres": "unavailable", "migrations": "unavailable"}
    assert (answer.status_code, answer.json()["checks"]) == (503, {**READY, **away})


@pytest.mark.django_db
def test_an_unapplied_migration_of_clickhouse_is_pending(client: Client, clickhouse_url: Settings) -> None:
    clickhouse.query("SELECT 1")  # on the migrated database
    clickhouse_url.CLICKHOUSE_URL = clickhouse_url.CLICKHOUSE_URL.replace("/axonize", "/not_migrated")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {**READY, "migrations": "pending"})


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse_schema")
def test_an_unapplied_migration_of_postgres_is_pending() -> None:
    assert checks.check_migrations() == "ok"
    MigrationRecorder(connection).migration_qs.filter(app="registry").delete()
    assert checks.check_migrations() == "pending"


@pytest.fixture
def silent_server() -> Iterator[int]:
    """Return the port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.django_db
def test_an_engine_that_hangs_holds_up_one_thread_and_no_answer(
    client: Client, clickhouse_url: Settings, silent_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clickhouse_url.CLICKHOUSE_URL = f"http://127.0.0.1:{silent_server}/axonize"
    monkeypatch.setattr(checks, "CHECK_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(clickhouse, "WRITE_TIMEOUT_SECONDS", 3)
    for _ in range(3):
        assert client.get("/readyz").json()["checks"]["clickhouse"] == "unavailable"
    hanging = [thread for thread in threading.enumerate() if thread.name == "check-clickhouse"]
    assert len(hanging) == 1
    for thread in threading.enumerate():
        if thread.name.startswith("check-"):
            thread.join(timeout=30)
            assert not thread.is_alive()


@pytest.mark.django_db
def test_metrics_are_in_prometheus_own_text(client: Client) -> None:
    client.get("/healthz")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert "django_http_requests_total_by_method_total" in answer.content.decode()
