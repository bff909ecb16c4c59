"""API keys: what is kept of one, who it is for, and what a process remembers of it for how long."""

import logging
import pickle
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from registry import keys as keys_module
from registry.identity import Identity, local_identity, staff_identity
from registry.keys import KeyRefused, Keys, KeysUnavailable, any_usable, from_header
from registry.models import ApiKey, Tenant
from tests.keys import UNKNOWN_KEY, Clock, elsewhere, make_key, postgres_away, stored
from tests.processes import wait_until

pytestmark = pytest.mark.django_db


class Calendar:
    """The time of day, which moves when the test says so."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def keys(clock: Clock, calendar: Calendar) -> Keys:
    return Keys(clock, calendar)


def test_a_key_looks_like_one_and_only_its_hash_is_kept() -> None:
    key = make_key()
    assert re.fullmatch(r"ax_[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}", key)
    prefix, secret = key.split(".")
    assert stored(key).prefix == prefix
    with connection.cursor() as cursor:
        cursor.execute("SELECT registry_apikey::text FROM registry_apikey")
        (row,) = cursor.fetchone()
    assert prefix in row
    assert secret not in row


@pytest.mark.parametrize("scopes", [[], ["read", "write"]])
def test_the_database_takes_known_scopes_only_and_at_least_one(scopes: list[str]) -> None:
    with pytest.raises(IntegrityError, match='"api_key_scopes_known"'), transaction.atomic():
        make_key(scopes=scopes)


def test_a_key_tells_whose_it_is_and_what_it_may(keys: Keys) -> None:
    key = make_key("vision-lab", scopes=["ingest"], ingest_spans_per_second=7, requests_per_minute=0)
    assert keys.identify(key) == Identity("vision-lab", frozenset({"ingest"}), key[:11], 7, 0, "tests")


@pytest.mark.parametrize(
    ("scopes", "permitted"),
    [
        ({"ingest"}, {"ingest"}),
        ({"read"}, {"read"}),
        ({"admin"}, {"admin", "read"}),
        ({"ingest", "admin"}, {"ingest", "admin", "read"}),
    ],
)
def test_admin_contains_read_and_only_ingest_contains_ingest(scopes: set[str], permitted: set[str]) -> None:
    identity = Identity("default", frozenset(scopes))
    assert {scope for scope in ("ingest", "read", "admin") if identity.may(scope)} == permitted


def test_this_machine_may_do_all_and_staff_all_but_send() -> None:
    assert local_identity() == Identity("default", frozenset({"ingest", "read", "admin"}))
    assert staff_identity() == Identity("default", frozenset({"read", "admin"}))


def revoked() -> str:
    key = make_key()
    ApiKey.objects.all().revoke()
    return key


REFUSED: dict[str, Callable[[], str]] = {
    "unknown": lambda: UNKNOWN_KEY,
    "of another secret": lambda: f"{make_key()[:11]}.{'0' * 32}",
    "revoked": revoked,
    "expired": lambda: make_key(expiry_date=timezone.now() - timedelta(seconds=1)),
    "empty": lambda: "",
    "cut short": lambda: make_key()[:-1],
    "with more behind it": lambda: make_key() + "0",
    "with a line end": lambda: make_key() + "\n",
    "its prefix alone": lambda: make_key()[:11],
    "not ASCII": lambda: "ax_" + "é" * 8 + "." + "é" * 32,
    "with NUL": lambda: "ax_\0" + "0" * 7 + "." + "0" * 32,
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED.keys())
def test_a_key_that_is_not_good_is_refused_in_one_sentence_for_all(keys: Keys, make: Callable[[], str]) -> None:
    with pytest.raises(KeyRefused, match=r"^This API key is unknown, expired or revoked\. Ask"):
        keys.identify(make())


def test_a_text_that_can_be_no_key_costs_no_query(
    keys: Keys, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0), pytest.raises(KeyRefused):
        keys.identify("ax_" + "x" * 100_000)


def test_postgresql_is_asked_once_in_five_seconds(
    keys: Keys, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key = make_key()
    assert keys.recall(key) is None
    identity = keys.identify(key)
    clock.advance(4.9)
    with django_assert_num_queries(0):
        assert keys.identify(key) == keys.recall(key) == identity
    clock.advance(0.2)
    assert keys.recall(key) is None
    with django_assert_num_queries(2):  # the key, and that it is in use
        assert keys.identify(key) == identity


def test_a_refusal_is_remembered_as_long(
    keys: Keys, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with pytest.raises(KeyRefused):
        keys.identify(UNKNOWN_KEY)
    clock.advance(4.9)
    with django_assert_num_queries(0):
        for ask in (keys.identify, keys.recall):
            with pytest.raises(KeyRefused):
                ask(UNKNOWN_KEY)
    clock.advance(0.2)
    with django_assert_num_queries(1), pytest.raises(KeyRefused):
        keys.identify(UNKNOWN_KEY)


def test_a_revocation_is_seen_once_what_is_remembered_is_stale(keys: Keys, clock: Clock) -> None:
    key = make_key()
    keys.identify(key)
    assert ApiKey.objects.all().revoke() == 1
    clock.advance(5)
    with pytest.raises(KeyRefused):
        keys.identify(key)
    with pytest.raises(KeyRefused):
        keys.recall(key)


def test_the_end_of_a_key_counts_to_the_second_however_fresh_it_is(keys: Keys, calendar: Calendar) -> None:
    key = make_key(expiry_date=calendar.moment + timedelta(seconds=2))
    keys.identify(key)
    calendar.moment += timedelta(seconds=1)
    keys.identify(key)
    calendar.moment += timedelta(seconds=1)
    for ask in (keys.identify, keys.recall):
        with pytest.raises(KeyRefused):
            ask(key)


def test_while_postgresql_is_away_a_key_that_was_good_stays_so_for_ten_minutes(keys: Keys, clock: Clock) -> None:
    key = make_key()
    identity = keys.identify(key)
    with postgres_away():
        for seconds in (6, 300, 293.9):
            clock.advance(seconds)
            assert elsewhere(lambda: keys.identify(key)) == identity
        clock.advance(0.1)
        assert keys.recall(key) is None
        with pytest.raises(KeysUnavailable, match="Try again"):
            elsewhere(lambda: keys.identify(key))
    clock.advance(1)
    assert keys.identify(key) == identity


def test_while_postgresql_is_away_a_key_still_ends_when_it_ends(keys: Keys, clock: Clock, calendar: Calendar) -> None:
    key = make_key(expiry_date=calendar.moment + timedelta(seconds=60))
    keys.identify(key)
    clock.advance(60)
    calendar.moment += timedelta(seconds=60)
    with postgres_away(), pytest.raises(KeyRefused):
        elsewhere(lambda: keys.identify(key))


def test_while_postgresql_is_away_nobody_can_tell_an_unknown_key_from_a_good_one(keys: Keys, clock: Clock) -> None:
    key = make_key()
    with postgres_away():
        for unknown in (key, UNKNOWN_KEY):
            with pytest.raises(KeysUnavailable):
                elsewhere(partial(keys.identify, unknown))
    clock.advance(0.9)
    with pytest.raises(KeysUnavailable):  # it is not asked again at once, for each try may take seconds
        keys.identify(key)
    clock.advance(0.1)
    assert keys.identify(key).tenant == "default"


@pytest.fixture
def committed_key(db: None) -> Iterator[str]:  # noqa: ARG001  for access to the database
    """Yield a key that other connections see; this one must not touch it, or it could not be removed."""

    def remove() -> None:
        ApiKey.objects.filter(tenant__slug="committed").delete()
        Tenant.objects.filter(slug="committed").delete()

    yield elsewhere(lambda: make_key("committed"))
    elsewhere(remove)


def test_a_slow_refresh_holds_up_nobody_else_and_is_believed(keys: Keys, clock: Clock, committed_key: str) -> None:
    locked, asked = threading.Event(), threading.Event()

    def revoke_slowly() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE registry_apikey IN ACCESS EXCLUSIVE MODE")
            locked.set()
            assert asked.wait(30)
            ApiKey.objects.filter(tenant__slug="committed").revoke()

    identity = elsewhere(lambda: keys.identify(committed_key))
    clock.advance(6)
    with ThreadPoolExecutor(2) as pool:
        revoking = pool.submit(elsewhere, revoke_slowly)
        assert locked.wait(30)
        refresh = pool.submit(keys.identify, committed_key)
        wait_until(lambda: keys.recall(committed_key) is not None, 10)
        assert keys.identify(committed_key) == identity
        assert not refresh.done()
        asked.set()
        revoking.result(30)
        with pytest.raises(KeyRefused):
            refresh.result(30)
    with pytest.raises(KeyRefused):
        keys.recall(committed_key)


def test_the_last_use_is_written_once_a_minute(keys: Keys, clock: Clock) -> None:
    key = make_key()
    assert stored(key).last_used_at is None
    keys.identify(key)
    first = stored(key).last_used_at
    assert first is not None
    clock.advance(6)
    keys.identify(key)
    assert stored(key).last_used_at == first
    two_minutes_ago = first - timedelta(minutes=2)
    ApiKey.objects.update(last_used_at=two_minutes_ago)
    clock.advance(6)
    keys.identify(key)
    assert stored(key).last_used_at != two_minutes_ago


def test_a_database_that_can_only_be_read_still_tells_good_from_bad(
    keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_key()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        assert keys.identify(key).tenant == "default"
        transaction.set_rollback(True)
    (warning,) = [record for record in caplog.records if record.name == "registry.keys"]
    assert warning.levelno == logging.WARNING
    assert key[:11] in warning.message
    assert stored(key).last_used_at is None


def test_a_thread_gives_the_connection_back_that_it_opened(keys: Keys) -> None:
    def ask() -> Any:
        with pytest.raises(KeyRefused):
            keys.identify(UNKNOWN_KEY)
        return connection.connection

    assert elsewhere(ask) is None


def test_memory_is_bounded_and_a_flood_of_wrong_keys_pushes_out_no_good_one(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(keys_module, "MAX_REMEMBERED", 3)
    good = [make_key() for _ in range(4)]
    for key in good:
        keys.identify(key)
    for number in range(9):
        with pytest.raises(KeyRefused):
            keys.identify(f"ax_{number:08}.{'0' * 32}")
    assert keys.recall(good[0]) is None, "the oldest makes room"
    with django_assert_num_queries(0):
        assert all(keys.identify(key) for key in good[1:])
    assert (len(keys._good), len(keys._refused)) == (3, 3)


def test_a_process_remembers_no_key_as_it_is(keys: Keys) -> None:
    key = make_key()
    keys.identify(key)
    secret = key.partition(".")[2]
    assert secret.encode() not in pickle.dumps((keys._good, keys._refused))


def test_many_threads_may_ask_at_once(keys: Keys) -> None:
    barrier = threading.Barrier(8)

    def ask() -> bool:
        barrier.wait(30)
        with pytest.raises(KeyRefused):
            keys.identify(UNKNOWN_KEY)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: ask(), range(8)))


@pytest.mark.parametrize("value", ["Bearer ax_1.2", "bearer ax_1.2", "BEARER  ax_1.2", " Bearer ax_1.2 "])
def test_the_scheme_of_the_header_has_no_case(value: str) -> None:
    assert from_header(value) == "ax_1.2"


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "ax_1.2", "Basic YTpi", "Bearer a b", "Bearer a, Bearer b", "Bearer é", "Bearera"],
)
def test_any_other_header_is_refused_with_what_to_send(value: str) -> None:
    with pytest.raises(KeyRefused, match="Bearer ax_…"):
        from_header(value)


def test_a_usable_key_is_one_that_is_neither_revoked_nor_expired() -> None:
    assert not any_usable()
    make_key(expiry_date=timezone.now() - timedelta(seconds=1))
    assert not any_usable()
    make_key(expiry_date=timezone.now() + timedelta(minutes=1))
    assert any_usable()
    ApiKey.objects.all().revoke()
    assert not any_usable()
    make_key()
    assert any_usable()
