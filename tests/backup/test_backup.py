"""A backup holds both databases as of one moment, and what is restored answers and goes on as before."""

import asyncio
import json
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from celery.exceptions import Retry
from clickhouse_connect.driver import Client as ClickHouse
from django.core.management import CommandError, call_command

from axonize.backup import clickhouse as clickhouse_half, postgres
from ingest import tasks
from ingest.pause import KEY, WritingGoesOn, writing_paused
from ingest.queue import SealedBatches, connect
from registry.models import Tenant
from registry.sync import sync_registry
from tests.backup.conftest import TRACE_ID, Answers, Empty, restore, send
from tests.conftest import Drain, Ingest, offer_and_seal
from tests.ingest.test_intake import judge
from tests.otlp import request, span
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

Backup = Callable[[], Path]
Ask = Callable[[], Answers]


def rows(clickhouse: ClickHouse) -> dict[str, list[Any]]:
    """Return every row of every table that a backup holds, in order."""
    found = {}
    for table in clickhouse_half.tables():
        answer = clickhouse.raw_query(
            "SELECT * FROM {table:Identifier}", parameters={"table": table}, fmt="JSONEachRow"
        )
        found[table] = sorted(answer.splitlines())
    return found


def stop_merges(clickhouse: ClickHouse) -> None:
    for table in clickhouse_half.tables():
        clickhouse.command(f"SYSTEM STOP MERGES {table}")


@pytest.fixture
def unmerged(clickhouse: ClickHouse) -> Any:
    """Keep merges from changing which rows there are."""
    stop_merges(clickhouse)
    yield
    for table in clickhouse_half.tables():
        clickhouse.command(f"SYSTEM START MERGES {table}")


@pytest.mark.usefixtures("fleet", "unmerged")
def test_what_is_restored_has_the_same_rows_and_answers_the_same(
    clickhouse: ClickHouse, backup: Backup, empty: Empty, answers: Ask
) -> None:
    before, stored = answers(), rows(clickhouse)
    assert before["/analytics/services"]["services"][0]["cost_usd"]
    directory = backup()
    empty()
    assert not rows(clickhouse)["spans"]
    said = restore(directory)
    assert f"{sum(map(len, stored.values())):,} rows and 2 tenants" in said
    assert rows(clickhouse) == stored
    assert not clickhouse.query("SELECT * FROM trace_changes").result_rows
    assert answers() == before


@pytest.mark.usefixtures("fleet")
def test_after_a_restore_spans_are_taken_summed_up_and_registered_as_before(
    ingest: Ingest,
    share_out: Callable[[], None],
    clickhouse: ClickHouse,
    backup: Backup,
    empty: Empty,
    answers: Ask,
) -> None:
    before = answers()
    directory = backup()
    empty()
    restore(directory)
    share_out()
    sync_registry()
    assert answers() == before, "what is made anew of what is stored is what it was"
    send(ingest, TRACE_ID)
    share_out()
    sync_registry()
    after = answers()
    (summary,) = [trace for trace in after["/traces"]["traces"] if trace["trace_id"] == TRACE_ID.hex()]
    assert summary["span_count"] == 6
    assert len(after["/traces"]["traces"]) == len(before["/traces"]["traces"])
    assert clickhouse.query("SELECT count() FROM spans").result_rows == [(18,)]


@pytest.mark.usefixtures("fleet")
def test_a_backup_leaves_nothing_behind_and_what_is_stored_as_it_is(
    clickhouse: ClickHouse, queue: redis.Redis, backup: Backup, answers: Ask
) -> None:
    before = answers()
    backup()
    assert answers() == before
    databases = {name for (name,) in clickhouse.query("SHOW DATABASES").result_rows}
    assert not {name for name in databases if name.endswith(("_backup", "_restore"))}
    assert not queue.exists(KEY)


@pytest.mark.usefixtures("fleet")
def test_spans_that_come_while_a_backup_is_written_are_not_in_it_and_not_lost(
    clickhouse: ClickHouse,
    ingest: Ingest,
    backup: Backup,
    empty: Empty,
    answers: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = answers()
    dump = postgres.dump

    def busy_dump(directory: Path, held: postgres.Session) -> None:
        send(ingest, b"\x33" * 16)
        Tenant.objects.create(slug="new")
        clickhouse.command("OPTIMIZE TABLE spans FINAL")
        dump(directory, held)

    monkeypatch.setattr(postgres, "dump", busy_dump)
    directory = backup()
    assert len(answers()["/traces"]["traces"]) == len(before["/traces"]["traces"]) + 1
    empty()
    restore(directory)
    assert answers() == before
    assert not Tenant.objects.filter(slug="new").exists()


def test_a_backup_waits_for_the_batch_that_is_being_written(queue: redis.Redis) -> None:
    body = request(span()).SerializeToString()
    assert asyncio.run(offer_and_seal([judge(body)], "one"))
    sealed = SealedBatches(connect())
    assert sealed.claim("one")
    inside = threading.Event()

    def hold() -> None:
        with writing_paused(connect()):
            inside.set()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        wait_until(lambda: queue.exists(KEY))
        assert not inside.is_set()
    finally:
        sealed.discard("one")
        thread.join(60)
    assert inside.is_set()
    assert not queue.exists(KEY)


def test_while_writing_is_paused_a_worker_gives_its_batch_back(
    clickhouse: ClickHouse, queue: redis.Redis, drain: Drain
) -> None:
    body = request(span()).SerializeToString()
    assert asyncio.run(offer_and_seal([judge(body)], "one"))
    with writing_paused(queue):
        with pytest.raises(Retry):
            tasks.write_batch("one")
        with pytest.raises(WritingGoesOn), writing_paused(queue):
            pass
        assert not clickhouse.query("SELECT * FROM spans").result_rows
    assert drain() == 1
    assert len(clickhouse.query("SELECT * FROM spans").result_rows) == 1


@pytest.mark.usefixtures("fleet")
def test_databases_that_are_in_use_are_not_restored_into(clickhouse: ClickHouse, backup: Backup, empty: Empty) -> None:
    directory = backup()
    with pytest.raises(CommandError, match=r"ClickHouse database is in use: .*spans.* have rows.*CLICKHOUSE_URL"):
        restore(directory)
    empty()
    Tenant.objects.create(slug="somebody")
    with pytest.raises(CommandError, match="The PostgreSQL database is in use: it has tenants"):
        restore(directory)
    assert not clickhouse.query("SELECT * FROM spans").result_rows


@pytest.mark.usefixtures("fleet")
def test_a_damaged_file_is_found_before_anything_is_restored(
    clickhouse: ClickHouse, backup: Backup, empty: Empty
) -> None:
    directory = backup()
    empty()
    victim = max((directory / "clickhouse" / "spans").iterdir())
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CommandError, match=rf"{victim.name} is damaged"):
        restore(directory)
    victim.unlink()
    with pytest.raises(CommandError, match=rf"{victim.name} can't be read: No such file"):
        restore(directory)
    assert not clickhouse.query("SELECT * FROM spans").result_rows
    assert not Tenant.objects.filter(slug="vision-lab").exists()


@pytest.mark.usefixtures("fleet")
def test_a_backup_whose_rows_do_not_add_up_restores_nothing(
    clickhouse: ClickHouse, backup: Backup, empty: Empty
) -> None:
    directory = backup()
    empty()
    manifest = directory / "manifest.json"
    fields = json.loads(manifest.read_text())
    next(file for file in fields["files"] if file["table"] == "spans")["rows"] += 1
    manifest.write_text(json.dumps(fields))
    with pytest.raises(CommandError, match=r"ClickHouse has 15 rows of spans, and the backup 16"):
        restore(directory)
    assert not clickhouse.query("SELECT * FROM spans").result_rows
    assert not Tenant.objects.filter(slug="vision-lab").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "form 2, and this version reads 1"),
        ({"clickhouse_migrations": {"0999_later": "0"}}, "newer or another version of Axonize: it has 0999_later"),
        ({"postgres_migrations": ["registry.0999_later"]}, "newer or another version .* it has registry.0999_later"),
        ({"clickhouse_migrations": {}}, "of an older version of Axonize"),
        ({"tables": ...}, "is damaged"),
    ],
)
def test_a_backup_of_another_version_is_refused(
    clickhouse: ClickHouse, queue: redis.Redis, backup: Backup, empty: Empty, change: dict[str, Any], told: str
) -> None:
    del clickhouse, queue
    directory = backup()
    empty()
    manifest = directory / "manifest.json"
    fields = json.loads(manifest.read_text()) | change
    manifest.write_text(json.dumps({name: value for name, value in fields.items() if value is not ...}))
    with pytest.raises(CommandError, match=told):
        restore(directory)


def test_a_directory_with_something_in_it_takes_no_backup_and_is_none(clickhouse: ClickHouse, tmp_path: Path) -> None:
    del clickhouse
    (tmp_path / "notes").touch()
    with pytest.raises(CommandError, match="is not empty"):
        call_command("backup", str(tmp_path), stdout=StringIO(), stderr=StringIO())
    with pytest.raises(CommandError, match=r"is no finished backup: it has no manifest\.json"):
        restore(tmp_path)


def test_a_path_that_leaves_the_backup_is_refused(clickhouse: ClickHouse, backup: Backup, empty: Empty) -> None:
    del clickhouse
    directory = backup()
    empty()
    manifest = directory / "manifest.json"
    fields = json.loads(manifest.read_text())
    fields["files"][0]["path"] = "../postgres.dump"
    manifest.write_text(json.dumps(fields))
    with pytest.raises(CommandError, match="outside of"):
        restore(directory)


def test_two_backups_at_a_time_are_one_too_many(clickhouse: ClickHouse, tmp_path: Path) -> None:
    del clickhouse
    with postgres.alone(), pytest.raises(CommandError, match="Another backup or restore is at work"):
        call_command("backup", str(tmp_path / "second"), stdout=StringIO(), stderr=StringIO())


def test_whoever_is_connected_is_told_of_instead_of_waited_for(
    clickhouse: ClickHouse, backup: Backup, empty: Empty, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = backup()
    empty()
    monkeypatch.setattr(postgres, "_OTHERS_LEAVE_SECONDS", 0.5)
    with psycopg.connect(postgres._conninfo(with_password=True)) as other:
        other.execute("SELECT * FROM registry_tenant")
        with pytest.raises(CommandError, match=r"1 other connections use .* Stop receiver, worker, beat and web"):
            restore(directory)
    assert not clickhouse.query("SELECT * FROM spans").result_rows


@pytest.mark.usefixtures("clickhouse")
def test_a_program_too_old_for_the_server_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres, "server_version", lambda: "99.1")
    with pytest.raises(CommandError, match=r"of PostgreSQL 99 or later is needed, and here is .*postgresql-client-99"):
        call_command("backup", str(tmp_path / "one"), stdout=StringIO(), stderr=StringIO())
