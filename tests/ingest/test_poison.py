"""A batch that ClickHouse refuses for good: what is good in it is stored once, what is bad is a dead letter."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from backports import zstd
from celery.exceptions import Retry
from clickhouse_connect.driver import Client
from django.db import OperationalError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from axonize.clickhouse import migrator
from axonize.clickhouse.errors import ClickHouseUnavailable
from ingest import dead_letters, delivery, sifting, tasks, trial, writer
from ingest.holds import Hold, HoldLost
from ingest.intake import varint
from ingest.models import DeadLetter
from ingest.queue import QueueDepth, SealedBatches, connect
from tests.ingest.poison import NO_KIND, TOO_LONG_ID, frames, requests, sealed, trial_databases
from tests.otlp import request, span
from tests.stored import names

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clickhouse", "queue")]

EMPTY = QueueDepth(sealed_batches=0, queued_bytes=0)


def write(batch_id: str) -> None:
    tasks.write_batch.apply(args=(batch_id,), throw=True)


def all_names(bodies: list[ExportTraceServiceRequest]) -> list[str]:
    return sorted(
        one.name
        for body in bodies
        for resource_spans in body.resource_spans
        for scope_spans in resource_spans.scope_spans
        for one in scope_spans.spans
    )


def letters() -> list[tuple[str, list[str]]]:
    """Return each dead letter's tenant and the names of its spans."""
    return [
        (letter.tenant, all_names([ExportTraceServiceRequest.FromString(bytes(letter.body))]))
        for letter in DeadLetter.objects.order_by("pk")
    ]


@pytest.fixture
def one_bad() -> str:
    """Return a batch of three requests of ten spans, of which `1.4` can't be stored."""
    bodies = requests(3)
    bodies[1].resource_spans[0].scope_spans[0].spans[4].trace_id = TOO_LONG_ID
    return sealed(frames(bodies))


GOOD_OF_ONE_BAD = sorted({f"{at}.{number}" for at in range(3) for number in range(10)} - {"1.4"})


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"trace_id": TOO_LONG_ID}, "TOO_LARGE_STRING_SIZE"),
        ({"parent_span_id": b"x" * 9}, "TOO_LARGE_STRING_SIZE"),
        ({"kind": NO_KIND}, "UNKNOWN_ELEMENT_OF_ENUM"),
    ],
    ids=["a trace id too long", "a parent too long", "a kind that is none"],
)
def test_one_bad_span_of_three_requests_is_set_aside_and_all_others_are_stored(
    clickhouse: Client, fault: dict[str, bytes | int], error: str
) -> None:
    bodies = requests(3)
    bad = bodies[1].resource_spans[0].scope_spans[0].spans[4]
    for field, value in fault.items():
        setattr(bad, field, value)
    write(sealed(frames(bodies, tenant="vision-lab")))

    assert names(clickhouse) == GOOD_OF_ONE_BAD
    assert letters() == [("vision-lab", ["1.4"])]
    letter = DeadLetter.objects.get()
    kept = ExportTraceServiceRequest.FromString(bytes(letter.body)).resource_spans[0]
    assert kept.resource == bodies[1].resource_spans[0].resource
    assert kept.scope_spans[0].scope == bodies[1].resource_spans[0].scope_spans[0].scope
    assert kept.scope_spans[0].spans[0] == bad
    assert (letter.error, letter.spans) == (error, 1)
    assert letter.reason.startswith(f"{error} (")
    assert "SELECT" not in letter.reason
    assert "FUNCTION" not in letter.reason
    assert SealedBatches(connect()).depth() == EMPTY
    assert trial_databases(clickhouse) == []


def test_each_tenant_keeps_its_own(clickhouse: Client) -> None:
    bodies = requests(2)
    for body in bodies:
        body.resource_spans[0].scope_spans[0].spans[0].kind = NO_KIND  # type: ignore[assignment]  # no such kind
    write(sealed(frames(bodies[:1], tenant="a") + frames(bodies[1:], tenant="b")))
    assert sorted(letters()) == [("a", ["0.0"]), ("b", ["1.0"])]
    stored = clickhouse.query("SELECT tenant, count() FROM spans GROUP BY tenant ORDER BY tenant").result_rows
    assert stored == [("a", 9), ("b", 9)]


def test_a_batch_of_nothing_but_bad_spans_is_set_aside_whole(clickhouse: Client) -> None:
    bodies = [request(span("0.0", kind=NO_KIND), span("0.1", kind=NO_KIND)), request(span("1.0", kind=NO_KIND))]
    write(sealed(frames(bodies)))
    assert letters() == [("default", ["0.0", "0.1"]), ("default", ["1.0"])]
    assert names(clickhouse) == []
    assert SealedBatches(connect()).depth() == EMPTY


def cut_short(frame: bytes) -> bytes:
    return frame[:-3]


def of_no_message(_frame: bytes) -> bytes:
    return zstd.compress(varint(100) + b"\x0a\x01a")


def of_no_request(_frame: bytes) -> bytes:
    return zstd.compress(b"\x0c" + b"\x0a\x01a" + b"\x12\x07" + b"\x0a\x05hello")


@pytest.mark.parametrize("damage", [of_no_message, of_no_request])
def test_a_damaged_frame_is_set_aside_and_the_frames_around_it_are_stored(clickhouse: Client, damage: object) -> None:
    before, after = requests(2)
    assert callable(damage)
    damaged = damage(frames([before]))
    write(sealed(frames([before]) + damaged + frames([after])))
    letter = DeadLetter.objects.get()
    assert (letter.error, letter.spans, bytes(letter.body)) == ("DAMAGED_BYTES", 0, damaged)
    assert names(clickhouse) == all_names([before, after])


@pytest.mark.parametrize("rest", [b"garbage", cut_short(frames(requests(1)))], ids=["garbage", "half a frame"])
def test_what_is_before_unreadable_bytes_is_stored_and_they_are_set_aside(clickhouse: Client, rest: bytes) -> None:
    bodies = requests(2)
    write(sealed(frames(bodies) + rest))
    assert bytes(DeadLetter.objects.get().body) == rest
    assert names(clickhouse) == all_names(bodies)


def test_a_message_that_promises_more_than_comes_is_found_though_its_error_is_one_that_passes(
    clickhouse: Client,
) -> None:
    bodies, tail = requests(1), of_no_message(b"")
    with pytest.raises(ClickHouseUnavailable):
        writer.write(batch_id="probe", frames=frames(bodies) + tail)
    write(sealed(frames(bodies) + tail))
    assert bytes(DeadLetter.objects.get().body) == tail
    assert names(clickhouse) == all_names(bodies)


def test_when_the_trials_are_used_up_the_smallest_failing_groups_are_set_aside(
    clickhouse: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = requests(1, spans=16)
    bodies[0].resource_spans[0].scope_spans[0].spans[3].trace_id = TOO_LONG_ID
    monkeypatch.setattr(delivery, "sift", lambda parts, trial: sifting.sift(parts, trial, most=6))
    write(sealed(frames(bodies)))
    [(_, kept)] = letters()
    assert kept == ["0.0", "0.1", "0.2", "0.3"]
    assert sorted(kept + names(clickhouse)) == all_names(bodies)
    assert "Which of 4 spans is bad is not known" in DeadLetter.objects.get().reason


def fail(*_arguments: object, **_options: object) -> None:
    raise OperationalError("gone")


def mended(clickhouse: Client, batch_id: str) -> None:
    """Try a batch with one bad span again, and see that it ends as if nothing had happened."""
    SealedBatches(connect()).release(batch_id, delay_ms=0)
    write(batch_id)
    assert names(clickhouse) == GOOD_OF_ONE_BAD
    assert letters() == [("default", ["1.4"])]
    assert SealedBatches(connect()).depth() == EMPTY


@pytest.mark.parametrize(
    ("owner", "step"),
    [(Hold, "divide"), (dead_letters, "store"), (Hold, "forget_letters"), (SealedBatches, "discard")],
)
def test_a_death_before_any_step_is_mended_by_the_next_try(
    clickhouse: Client, one_bad: str, monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fail)
        with pytest.raises((Retry, OperationalError)):
            write(one_bad)
    mended(clickhouse, one_bad)


def test_clickhouse_going_away_before_the_rest_is_written_is_mended_by_the_next_try(
    clickhouse: Client, one_bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = writer.write

    def away_once_divided(**options: Any) -> None:
        if "client" not in options and DeadLetter.objects.exists():
            raise ClickHouseUnavailable("gone")
        real(**options)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write", away_once_divided)
        with pytest.raises(Retry):
            write(one_bad)
    assert names(clickhouse) == []
    mended(clickhouse, one_bad)


def test_tables_that_took_the_whole_batch_before_take_no_part_of_it_again(clickhouse: Client, one_bad: str) -> None:
    """The batch reached `spans` whole once, when nothing was refused; now it is divided and written once more."""
    good = requests(3)
    writer.write(batch_id=one_bad, frames=frames(good))
    write(one_bad)
    assert names(clickhouse) == all_names(good)
    [[spans]] = clickhouse.query("SELECT sum(span_count) FROM traces").result_rows
    assert spans == 30


@pytest.fixture
def table_gone(clickhouse: Client) -> Iterator[None]:
    """Take away a table that the batch has to reach."""
    clickhouse.command("RENAME TABLE resources TO resources_away")
    yield
    clickhouse.command("RENAME TABLE IF EXISTS resources_away TO resources")


@pytest.mark.usefixtures("table_gone")
def test_a_fault_of_the_server_keeps_the_batch_and_it_is_stored_once_the_fault_is_gone(
    clickhouse: Client, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = requests(2)
    batch_id = sealed(frames(bodies))
    with caplog.at_level(logging.ERROR), pytest.raises(Retry) as retry:
        write(batch_id)
    assert retry.value.when == tasks.REFUSED_RETRY_SECONDS
    assert "takes each part of the batch in a trial" in caplog.text
    assert not DeadLetter.objects.exists()
    assert trial_databases(clickhouse) == []

    clickhouse.command("RENAME TABLE resources_away TO resources")
    SealedBatches(connect()).release(batch_id, delay_ms=0)
    write(batch_id)
    assert names(clickhouse) == all_names(bodies)
    assert SealedBatches(connect()).depth() == EMPTY


@pytest.mark.usefixtures("table_gone")
def test_with_both_a_bad_span_and_a_fault_of_the_server_only_the_bad_span_is_set_aside(
    clickhouse: Client, one_bad: str
) -> None:
    with pytest.raises(Retry):
        write(one_bad)
    assert letters() == [("default", ["1.4"])]
    clickhouse.command("RENAME TABLE resources_away TO resources")
    mended(clickhouse, one_bad)


def test_a_server_that_refuses_even_what_is_good_condemns_nothing(
    clickhouse: Client, one_bad: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As after an upgrade that reads the format otherwise: then each part of the batch fails, and none is at fault."""
    monkeypatch.setattr(writer, "format_schema", lambda: "syntax = 'proto3'; message Envelope { string nothing = 9; }")
    with pytest.raises(Retry) as retry:
        write(one_bad)
    assert retry.value.when == tasks.REFUSED_RETRY_SECONDS
    assert "refuses a trial request that is good" in caplog.text
    assert not DeadLetter.objects.exists()
    monkeypatch.undo()
    mended(clickhouse, one_bad)


def test_a_server_that_breaks_in_the_middle_of_a_trial_condemns_nothing(
    clickhouse: Client, one_bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = trial.Trial.check_control

    def then_broken(self: trial.Trial) -> None:
        control(self)
        clickhouse.command(f"DROP TABLE axonize_trial_{one_bad}.otlp_inbox SYNC")

    with monkeypatch.context() as patch:
        patch.setattr(trial.Trial, "check_control", then_broken)
        with pytest.raises(Retry) as retry:
            write(one_bad)
    assert retry.value.when == tasks.REFUSED_RETRY_SECONDS
    assert not DeadLetter.objects.exists()
    mended(clickhouse, one_bad)


def test_a_trial_that_takes_longer_than_a_lease_goes_on_holding_the_batch(
    one_bad: str, queue: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = trial.Trial.check_control
    handed_out: list[str] = []

    def at_the_end_of_a_lease(self: trial.Trial) -> None:
        handed_out.extend(SealedBatches(connect()).rescue(most=10))
        control(self)
        queue.zadd("axonize:sealed", {one_bad: 0})

    monkeypatch.setattr(trial.Trial, "check_control", at_the_end_of_a_lease)
    write(one_bad)
    assert handed_out == []
    assert letters() == [("default", ["1.4"])]


def test_a_trial_database_that_cannot_be_made_decides_nothing(
    one_bad: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = migrator.Migration(name="0001_spans", sql="CREATE TABLE spans (n NoSuchType) ENGINE = Memory")
    monkeypatch.setattr(migrator, "migrations", lambda *_: [broken])
    with pytest.raises(Retry) as retry:
        write(one_bad)
    assert retry.value.when == tasks.REFUSED_RETRY_SECONDS
    assert "can't be made" in caplog.text
    assert not DeadLetter.objects.exists()


def test_clickhouse_going_away_in_the_middle_of_a_trial_decides_nothing(
    clickhouse: Client, one_bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def raw_insert(self, *_arguments: object, **_options: object) -> None:
            raise ConnectionRefusedError("gone")

    control = trial.Trial.check_control

    def then_away(self: trial.Trial) -> None:
        control(self)
        monkeypatch.setattr(self, "_client", Away())

    with monkeypatch.context() as patch:
        patch.setattr(trial.Trial, "check_control", then_away)
        with pytest.raises(Retry) as retry:
            write(one_bad)
    assert isinstance(retry.value.when, float)
    assert retry.value.when <= tasks.FIRST_RETRY_SECONDS
    assert not DeadLetter.objects.exists()
    assert trial_databases(clickhouse) == []
    mended(clickhouse, one_bad)


def test_a_writer_that_lost_its_hold_decides_nothing(one_bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    control = trial.Trial.check_control

    def then_taken(self: trial.Trial) -> None:
        control(self)
        Hold(connect(), one_bad).begin()

    monkeypatch.setattr(trial.Trial, "check_control", then_taken)
    write(one_bad)
    assert not DeadLetter.objects.exists()
    assert SealedBatches(connect()).depth().sealed_batches == 1


def test_what_a_trial_that_died_has_left_is_dropped_by_the_next(clickhouse: Client, one_bad: str) -> None:
    clickhouse.command("CREATE DATABASE axonize_trial_died")
    clickhouse.command(f"CREATE DATABASE axonize_trial_{one_bad}")
    waiting = sealed(frames(requests(1)))
    clickhouse.command(f"CREATE DATABASE axonize_trial_{waiting}")
    write(one_bad)
    assert letters() == [("default", ["1.4"])]
    assert trial_databases(clickhouse) == [f"axonize_trial_{waiting}"]
    clickhouse.command(f"DROP DATABASE axonize_trial_{waiting} SYNC")


def test_a_hold_keeps_the_rescue_away(one_bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = SealedBatches(connect())
    monkeypatch.setattr("ingest.queue.LEASE_MS", 0)
    assert batches.claim(one_bad)
    Hold(connect(), one_bad).begin()
    assert batches.claim(one_bad) is None
    assert batches.rescue(most=10) == []


def test_a_batch_whose_letters_nobody_has_stored_is_not_forgotten(one_bad: str, queue: redis.Redis) -> None:
    batches, hold = SealedBatches(connect()), Hold(connect(), one_bad)
    assert batches.claim(one_bad)
    hold.begin()
    hold.divide(rest=b"rest", letters=b"letters")
    assert batches.depth().queued_bytes == len(b"restletters")
    assert not batches.discard(one_bad)
    hold.forget_letters()
    assert batches.discard(one_bad)
    assert batches.depth() == EMPTY
    assert not queue.keys(f"axonize:batch:{one_bad}*")
    with pytest.raises(HoldLost):
        hold.extend()
