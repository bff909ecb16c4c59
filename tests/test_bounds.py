"""No request costs more than the settings say: neither its bytes, nor its query, nor the time of a slow client."""

import io
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import pre_migrate
from django.http import HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from pytest_django import Settings
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from axonize.urls import handler400, handler403, handler404, handler500, urlpatterns as real_urlpatterns
from axonize.wsgi import WORKING_REQUESTS, Environ, few_at_once
from registry.sync import sync_registry
from tests.conftest import Ingest
from tests.engines import free_ports
from tests.otlp import gpu, request, span
from tests.processes import running, wait_until

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

TRACE_ID = b"\x01" * 16


@api_view(["GET", "POST"])
def slow(_request: Request, /) -> Response:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    return Response()


urlpatterns = [path("api/slow", slow), *real_urlpatterns]

ADDRESSES = [
    "/traces",
    f"/traces/{TRACE_ID.hex()}",
    f"/traces/{TRACE_ID.hex()}/spans",
    "/spans",
    "/gpus",
    "/gpus/GPU-0",
    "/gpus/GPU-0/metrics",
    "/physical-gpus/GPU-card/metrics",
    "/analytics/overview",
]
BOUNDS = {"QUERY_MAX_BYTES": 1000, "QUERY_MAX_RESULT_ROWS": 1, "QUERY_MAX_SECONDS": 1e-6}


@pytest.mark.django_db
@pytest.mark.parametrize("bound", BOUNDS)
def test_every_read_of_the_api_is_bounded(client: Client, ingest: Ingest, settings: Settings, bound: str) -> None:
    start_ns = time.time_ns() - 300_000_000_000
    ingest(
        request(
            *(
                span(
                    trace_id=trace_id,
                    start_ns=start_ns + number * 30_000_000_000,
                    attributes=gpu(resource_uuid=f"GPU-{number % 2}", physical_uuid="GPU-card", utilization=5.0),
                )
                for number, trace_id in enumerate([TRACE_ID, TRACE_ID, TRACE_ID, b"\x02" * 16, b"\x03" * 16])
            )
        )
    )
    assert sync_registry()
    assert {client.get(f"/api/v1{address}").status_code for address in ADDRESSES} == {200}
    setattr(settings, bound, BOUNDS[bound])
    for address in ADDRESSES:
        answer = client.get(f"/api/v1{address}")
        assert answer.status_code == 422, address
        [error] = answer.json()["errors"]
        assert error["code"] == "query_too_large"
        assert re.search(r"Narrow the time range|Read it page by page|Give a smaller limit", error["detail"]), address


@pytest.mark.parametrize(("address", "kind"), [("/api/v1/traces", "application/json"), ("/admin/login/", "text/plain")])
def test_a_body_that_is_too_large_is_refused_unread(
    client: Client, settings: Settings, address: str, kind: str
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = client.post(address, b"x" * 1001, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (413, kind)
    assert "at most 1000 bytes" in answer.content.decode()
    assert client.post(address, b"x" * 1000, content_type="application/json").status_code != 413


@pytest.mark.django_db
@override_settings(ROOT_URLCONF="tests.test_bounds")
def test_a_read_that_postgres_cuts_off_is_a_422_and_a_write_a_503(client: Client) -> None:
    for send, status, code in ((client.get, 422, "query_too_large"), (client.post, 503, "unavailable")):
        with connection.cursor() as cursor:
            cursor.execute("SAVEPOINT before; SET LOCAL statement_timeout = '20ms'")
        answer = send("/api/slow")
        connection.needs_rollback = False
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK TO before")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


@pytest.mark.django_db(transaction=True)
def test_statements_are_bounded_except_those_of_migrations(settings: Settings) -> None:
    seen = []

    def look(**_: object) -> None:
        seen.append(timeout())

    def timeout() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])

    pre_migrate.connect(look)
    try:
        call_command("migrate", "registry", verbosity=0)
    finally:
        pre_migrate.disconnect(look)
    assert set(seen) == {"0"}
    assert timeout() == f"{settings.QUERY_MAX_SECONDS}s"


def test_only_so_many_requests_are_worked_on_at_once_and_probes_need_no_turn() -> None:
    go = threading.Event()
    inside: list[str] = []

    def application(environ: Environ, _start_response: object) -> HttpResponse:
        inside.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] != "/healthz":
            assert go.wait(30)
        return HttpResponse(environ["PATH_INFO"])

    serve = few_at_once(application)

    def ask(address: str) -> bytes:
        return b"".join(serve({"PATH_INFO": address, "wsgi.input": io.BytesIO()}, None))

    threads = [threading.Thread(target=ask, args=("/slow",)) for _ in range(WORKING_REQUESTS + 4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(inside) == WORKING_REQUESTS)
    assert ask("/healthz") == b"/healthz"
    assert inside == ["/slow"] * WORKING_REQUESTS + ["/healthz"]
    go.set()
    for thread in threads:
        thread.join(30)
    assert inside.count("/slow") == WORKING_REQUESTS + 4


def test_a_request_gets_its_turn_with_its_body_and_loses_it_with_its_answer() -> None:
    closed = []

    class Answer(HttpResponse):
        def close(self) -> None:
            closed.append(True)
            super().close()

    unread = io.BytesIO(b"bodynext request")

    def application(environ: Environ, _start_response: object) -> HttpResponse:
        assert environ["wsgi.input"] is not unread, "read before, from whoever is slow to send it"
        return Answer(environ["wsgi.input"].read())

    environ = {"PATH_INFO": "/", "CONTENT_LENGTH": "4", "wsgi.input": unread}
    assert few_at_once(application)(environ, None) == [b"body"]
    assert closed, "before a client, who may be slow, has read it"


def exchange(port: int, address: str) -> HTTPResponse:
    with_port = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        with_port.request("GET", address)
        answer = with_port.getresponse()
        answer.read()
        return answer
    finally:
        with_port.close()


@pytest.fixture
def web() -> Iterator[int]:
    """Serve as gunicorn does in production, only less patient; yields the port."""
    [port] = free_ports(1)
    code = "from axonize import web_worker as w; w.REQUEST_SECONDS = 2; from gunicorn.app.wsgiapp import run; run()"
    options = ["axonize.wsgi", "--bind", f"127.0.0.1:{port}", "--log-level", "info"]
    with running("-c", code, *options, until="Booting worker", timeout_s=60) as process:
        yield port
    assert "Traceback" not in process.output


PARTIAL = {
    "silence": b"",
    "headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "body": b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\na",
}


@pytest.mark.parametrize("slow_in", PARTIAL)
def test_slow_clients_hold_up_nobody_else(web: int, slow_in: str) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", web), timeout=30)) for _ in range(64)]
        for each in slow:
            each.sendall(PARTIAL[slow_in])
        for address, status in (("/healthz", 200), ("/api/nope", 404)):
            answer = exchange(web, address)
            assert answer.status == status
            assert answer.headers["Server"] == "gunicorn", "and no version"
        if slow_in == "headers":
            assert [each.recv(1) for each in slow] == [b""] * 64, "each is ended in the end"
