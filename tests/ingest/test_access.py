"""Who may send: keys, scopes, tenants and rates at a receiver that asks the tests' own PostgreSQL."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import grpc
import pytest
import redis
from clickhouse_connect.driver import Client
from django.conf import settings
from django.db import connection
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from axonize.metrics.receiving import refused_requests
from ingest.refusals import KeysUnchecked, QueueFull, QueueUnavailable, RateExceeded, ReceiverBusy, TryLater
from tests.conftest import Drain
from tests.engines import free_ports
from tests.keys import UNKNOWN_KEY, bearer, make_key, stored
from tests.otlp import request, span
from tests.otlp_clients import EXPORT, JSON, PROTOBUF, post
from tests.processes import Process, running, wait_until
from tests.stored import queued

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("receiver")]

OK, UNAUTHENTICATED, PERMISSION_DENIED = (200, "OK"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED")


@pytest.fixture(autouse=True)
def emptied(queue: redis.Redis) -> None:
    """Begin each test with an empty queue."""


@pytest.fixture(scope="module")
def receiver(django_db_setup: None) -> Iterator[Process]:  # noqa: ARG001  it must have run
    """Run a receiver that asks for a key, and finds the keys that the tests make."""
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"
    env = {"DATABASE_URL": url, "AXONIZE_REQUIRE_API_KEY": "true", "AXONIZE_SPANS_PER_SECOND": "1000000"}
    with running("manage.py", "receive_otlp", env=env, until="OTLP/gRPC on") as process:
        yield process


def send_grpc(headers: Mapping[str, str], body: bytes, *, port: int | None = None) -> tuple[str, dict[str, bytes]]:
    """Return the name of the call's status, and its trailing metadata."""
    with grpc.insecure_channel(f"127.0.0.1:{port or settings.OTLP_GRPC_PORT}") as channel:
        call = channel.unary_unary(EXPORT, None, None)
        try:
            call(body, timeout=10, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            return error.code().name, {item.key: item.value for item in error.trailing_metadata()}
        return "OK", {}


def send(headers: Mapping[str, str], name: str = "span") -> tuple[int, str]:
    """Send a span over each transport, another for each; return the status of HTTP and that of gRPC."""
    status, _, _ = post(request(span(name)).SerializeToString(), {**PROTOBUF, **headers})
    return status, send_grpc(headers, request(span(name)).SerializeToString())[0]


def stored_names(clickhouse: Client, tenant: str) -> list[str]:
    rows = clickhouse.query("SELECT name FROM spans WHERE tenant = {tenant:String} ORDER BY name", {"tenant": tenant})
    return [name for (name,) in rows.result_rows]


def test_spans_go_to_the_tenant_of_their_key(drain: Drain, clickhouse: Client) -> None:
    assert send(bearer(make_key("vision-lab", scopes=["ingest"])), "vision") == OK
    assert send(bearer(make_key("speech-lab", scopes=["ingest"])), "speech") == OK
    drain()
    assert stored_names(clickhouse, "vision-lab") == ["vision", "vision"]
    assert stored_names(clickhouse, "speech-lab") == ["speech", "speech"]
    assert stored_names(clickhouse, "default") == []


def test_without_a_key_nothing_is_taken(queue: redis.Redis) -> None:
    assert send({}) == UNAUTHENTICATED
    assert queued(queue) == []


@pytest.mark.parametrize(
    "authorization", [f"Bearer {UNKNOWN_KEY}", "Bearer nonsense", "Bearer ", "Basic YTpi", "\x80", "Bearer ax_" * 1000]
)
def test_a_wrong_key_opens_nothing(queue: redis.Redis, authorization: str) -> None:
    headers = {"authorization": authorization}
    body = request(span()).SerializeToString()
    assert post(body, {**PROTOBUF, **headers})[0] == 401
    if authorization.isascii():
        assert send_grpc(headers, body)[0] == "UNAUTHENTICATED"
    assert queued(queue) == []


def test_the_answer_says_what_is_missing_in_the_form_that_was_sent() -> None:
    status, headers, answer = post(b"{}", JSON)
    assert (status, headers["www-authenticate"], headers["content-type"]) == (401, "Bearer", "application/json")
    assert b"API key is needed" in answer
    status, _, answer = post(b"", PROTOBUF)
    assert "API key is needed" in Status.FromString(answer).message


def test_a_key_for_reading_does_not_send(queue: redis.Redis) -> None:
    assert send(bearer(make_key(scopes=["read", "admin"]))) == PERMISSION_DENIED
    assert queued(queue) == []


def test_a_key_that_is_over_opens_nothing() -> None:
    assert (
        send(bearer(make_key(scopes=["ingest"], expiry_date=datetime.now(UTC) - timedelta(days=1)))) == UNAUTHENTICATED
    )


def test_a_revoked_key_is_refused_within_ten_seconds() -> None:
    key = make_key(scopes=["ingest"])
    assert send(bearer(key)) == OK
    kept = stored(key)
    kept.revoked = True
    kept.save()
    wait_until(lambda: send(bearer(key)) == UNAUTHENTICATED, 10)


def test_its_last_use_is_seen() -> None:
    key = make_key(scopes=["ingest"])
    assert stored(key).last_used_at is None
    send(bearer(key))
    last_used_at = stored(key).last_used_at
    assert last_used_at is not None
    assert abs(datetime.now(UTC) - last_used_at) < timedelta(minutes=1)


def test_a_key_that_sends_too_fast_is_told_to_come_later_and_no_other_is() -> None:
    hurried = bearer(make_key("vision-lab", scopes=["ingest"], ingest_spans_per_second=1))
    many = request(*(span() for _ in range(100))).SerializeToString()
    assert send_grpc(hurried, many)[0] == "OK"  # a burst is taken, and owed
    status, headers, answer = post(request(span()).SerializeToString(), {**PROTOBUF, **hurried})
    assert status == 429
    assert 60 < int(headers["retry-after"]) <= 100
    [detail] = Status.FromString(answer).details
    retry = RetryInfo()
    assert detail.Unpack(retry)
    assert 60 < retry.retry_delay.seconds <= 100
    name, trailing = send_grpc(hurried, request(span()).SerializeToString())
    assert name == "UNAVAILABLE"
    assert "1 spans a second" in Status.FromString(trailing["grpc-status-details-bin"]).message
    assert send(bearer(make_key("vision-lab", scopes=["ingest"]))) == OK


def test_a_request_that_was_taken_is_not_refused_for_its_rate() -> None:
    hurried = bearer(make_key(scopes=["ingest"], ingest_spans_per_second=1))
    many = request(*(span() for _ in range(100))).SerializeToString()
    assert [send_grpc(hurried, many)[0] for _ in range(2)] == ["OK", "OK"]


def test_the_same_bytes_of_two_tenants_are_two_requests(drain: Drain, clickhouse: Client) -> None:
    body = request(span("same")).SerializeToString()
    for tenant in ("vision-lab", "speech-lab"):
        assert send_grpc(bearer(make_key(tenant, scopes=["ingest"])), body)[0] == "OK"
    drain()
    assert stored_names(clickhouse, "vision-lab") == stored_names(clickhouse, "speech-lab") == ["same"]


def test_a_key_that_cannot_be_checked_is_told_to_come_again() -> None:
    grpc_port, http_port = free_ports(2)
    command = ("manage.py", "receive_otlp", "--grpc-port", str(grpc_port), "--http-port", str(http_port))
    env = {"DATABASE_URL": "postgresql://postgres@%2Fnowhere/axonize", "AXONIZE_REQUIRE_API_KEY": "true"}
    with running(*command, env=env, until="OTLP/gRPC on") as process:
        body, key = request(span()).SerializeToString(), bearer(UNKNOWN_KEY)
        status, answer_headers, _ = post(body, {**PROTOBUF, **key}, port=http_port)
        assert send_grpc(key, body, port=grpc_port)[0] == "UNAVAILABLE", process.output
    assert status == 503, process.output
    assert int(answer_headers["retry-after"]) >= 1


def test_whatever_is_refused_for_now_is_counted_by_its_reason() -> None:
    refusals: list[type[TryLater]] = [QueueUnavailable, QueueFull, RateExceeded, ReceiverBusy, KeysUnchecked]
    assert {refusal.reason for refusal in refusals} == refused_requests.keys()
