"""`manage.py doctor`: each thing that it looks at, broken for real where that can be done, and what it says to do."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace

import django
import pytest
import redis
import trustme
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from axonize.clickhouse import client as clickhouse
from axonize.doctor import (
    clickhouse as of_clickhouse,
    configuration,
    installation,
    parts,
    postgres as of_postgres,
    redis as of_redis,
    tls_files,
)
from axonize.doctor.data_directory import GIB, space
from axonize.doctor.examination import examine, is_well, known_checks
from axonize.doctor.finding import Check, Finding, Level, clock, fail, ok, warn
from axonize.health.heartbeat import Heartbeat, State
from ingest import doctor as of_ingest
from ingest.models import DeadLetter
from registry import doctor as of_registry
from tests.engines import free_ports
from tests.processes import wait_until


def bad(check: Check) -> list[Finding]:
    """Return what a check finds that is not as it should be; each says what to do."""
    found = [finding for finding in check() if finding.level != Level.OK]
    assert all(finding.mend for finding in found)
    return found


def only(check: Check) -> Finding:
    [finding] = bad(check)
    return finding


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse_schema", "queue")
def test_on_engines_that_are_well_nothing_fails_and_each_check_finds_something() -> None:
    checks = known_checks()
    findings = list(examine(checks, seconds=60))
    assert [f"{name}: {finding}" for name, finding in findings if finding.level == Level.FAIL] == []
    assert {name for name, _ in findings} == set(checks)
    assert {"Redis", "PostgreSQL", "ClickHouse", "queue", "dead letters", "registry", "TLS", "disk"} <= set(checks)


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse_schema", "queue")
def test_the_command_exits_by_what_it_found_and_tells_it_as_json() -> None:
    told = StringIO()
    call_command("doctor", "--json", stdout=told)
    answer = json.loads(told.getvalue())
    assert answer["well"] is True
    unseen = [row for row in answer["findings"] if row["check"] == "processes" and row["level"] == "warn"]
    assert unseen, "no worker runs beside the tests"
    with pytest.raises(SystemExit, match=r"^1$"):
        call_command("doctor", "--strict", stdout=StringIO())


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse_schema", "queue")
def test_a_fault_is_a_line_and_below_it_what_to_do(settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    told = StringIO()
    with pytest.raises(SystemExit, match=r"^1$"):
        call_command("doctor", "--no-color", stdout=told)
    lines = told.getvalue().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("fail  Redis: It does not answer"))
    assert lines[at + 1].startswith("      Start it, and look at REDIS_URL")
    assert any(line.startswith("ok    ClickHouse: It answers") for line in lines), (
        "the others are looked at all the same"
    )


def test_a_check_that_raises_and_one_that_hangs_are_findings() -> None:
    def raising() -> Iterator[Finding]:
        yield ok("so far")
        raise ValueError("no\nsuch thing")

    def hanging() -> Iterator[Finding]:
        listener.accept()
        yield ok("never")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = list(examine({"a": raising, "b": hanging, "c": lambda: [ok("fine")]}, seconds=0.3))
        listener.shutdown(socket.SHUT_RDWR)
    assert [(name, finding.level) for name, finding in found] == [
        ("a", Level.OK),
        ("a", Level.FAIL),
        ("b", Level.FAIL),
        ("c", Level.OK),
    ]
    assert found[1][1].what == "It can't be looked at: no such thing"
    assert found[2][1].what.startswith("There was no answer within")


def test_a_warning_is_a_fault_for_the_strict_alone() -> None:
    assert is_well([("a", warn("x", "y"))], strict=False)
    assert not is_well([("a", warn("x", "y"))], strict=True)
    assert not is_well([("a", fail("x", "y"))], strict=False)


@pytest.mark.parametrize(
    ("theirs_s", "level"),
    [
        (100.0, Level.OK),
        (101.5, Level.OK),
        (103.5, Level.WARN),
        (98.5, Level.WARN),
        (140.0, Level.FAIL),
        (60.0, Level.FAIL),
    ],
)
def test_clocks_may_differ_by_the_time_that_asking_took_and_a_second(theirs_s: float, level: Level) -> None:
    assert clock("Redis", theirs_s=theirs_s, asked_s=100.0, answered_s=101.0).level == level


@pytest.mark.django_db
@pytest.mark.usefixtures("clickhouse_schema", "queue")
@pytest.mark.parametrize("module", [of_redis, of_postgres, of_clickhouse])
def test_a_clock_that_is_wrong_is_found(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: time.time() - 100))
    finding = only(module.server)
    assert finding.level == Level.FAIL
    assert "clock" in finding.what
    assert "NTP" in finding.mend


@pytest.fixture
def client(own_redis: tuple[redis.Redis, str], settings: Settings) -> redis.Redis:
    """Return a client of a Redis that a test may spoil, which the settings name."""
    settings.REDIS_URL = own_redis[1]
    return own_redis[0]


@pytest.mark.parametrize(
    ("name", "value", "level", "mend"),
    [
        ("appendonly", "no", Level.FAIL, "Set `appendonly yes`"),
        ("maxmemory-policy", "allkeys-lru", Level.FAIL, "Set `maxmemory-policy noeviction`"),
        ("appendfsync", "everysec", Level.WARN, "Set `appendfsync no`"),
    ],
)
def test_a_redis_that_may_lose_something_is_found(
    client: redis.Redis, name: str, value: str, level: Level, mend: str
) -> None:
    assert bad(of_redis.server) == []
    client.config_set(name, value)
    finding = only(of_redis.server)
    assert finding.level == level
    assert finding.mend.startswith(mend)


def test_a_replica_is_no_place_for_a_queue(client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", str(free_ports(1)[0]))
    assert only(of_redis.server).what == "It is a replica, which takes no writes."


def test_a_redis_with_too_little_memory_for_the_queue_is_found(client: redis.Redis, settings: Settings) -> None:
    assert bad(of_ingest.queue) == []
    client.config_set("maxmemory", str(settings.QUEUE_MAX_BYTES))
    assert only(of_ingest.queue).mend == "Raise its maxmemory, or lower AXONIZE_QUEUE_MAX_BYTES."


def test_a_queue_that_is_full_and_a_batch_that_nobody_takes_are_found(client: redis.Redis, settings: Settings) -> None:
    client.set("axonize:queued_bytes", int(settings.QUEUE_MAX_BYTES * 0.9))
    assert only(of_ingest.queue).level == Level.WARN
    client.set("axonize:queued_bytes", settings.QUEUE_MAX_BYTES)
    assert only(of_ingest.queue).level == Level.FAIL
    client.set("axonize:queued_bytes", 0)
    client.zadd("axonize:sealed", {"a-batch": (time.time() - 90) * 1000})
    assert only(of_ingest.queue).what.startswith("A batch has waited for ")


@pytest.mark.django_db
def test_dead_letters_are_counted() -> None:
    assert bad(of_ingest.dead_letters) == []
    DeadLetter.objects.create(
        tenant="t",
        batch_id="b",
        number=1,
        error="E",
        reason="r",
        failed_at=timezone.now(),
        spans=1,
        size_bytes=1,
        body=b"x",
    )
    assert only(of_ingest.dead_letters).what == "1 dead letters wait."


@pytest.mark.django_db
def test_a_pending_migration_of_postgresql_is_found() -> None:
    assert bad(of_postgres.migrations) == []
    MigrationRecorder(connection).migration_qs.filter(app="ingest").delete()
    assert only(of_postgres.migrations).mend == "Run `manage.py migrate`."


@pytest.mark.django_db
def test_a_role_that_may_not_do_what_is_needed_is_found() -> None:
    assert bad(of_postgres.server) == []
    with connection.cursor() as cursor:
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE weak; SET LOCAL ROLE weak")
    found = bad(of_postgres.server)
    assert [finding.level for finding in found] == [Level.FAIL, Level.FAIL]
    assert "GRANT CREATE ON SCHEMA public TO weak" in found[0].mend
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO weak" in found[1].mend


@pytest.mark.django_db
def test_more_connections_than_postgresql_takes_are_found(settings: Settings) -> None:
    settings.DATABASE_POOL_SIZE = 1000
    assert "lower AXONIZE_DATABASE_POOL_SIZE" in only(of_postgres.server).mend


def test_a_clickhouse_that_is_away_is_found(clickhouse_url: Settings) -> None:
    clickhouse_url.CLICKHOUSE_URL = f"http://127.0.0.1:{free_ports(1)[0]}/axonize"
    assert only(of_clickhouse.server).mend.startswith("Start it, and look at CLICKHOUSE_URL")


def test_a_clickhouse_that_is_not_migrated_is_found(clickhouse_url: Settings) -> None:
    assert bad(of_clickhouse.schema) == []
    clickhouse_url.CLICKHOUSE_URL = clickhouse_url.CLICKHOUSE_URL.replace("/axonize", "/not_migrated")
    assert only(of_clickhouse.schema).mend == "Run `manage.py migrate_clickhouse`."


def test_a_schema_file_that_was_changed_after_it_was_applied_is_found(clickhouse_url: Settings) -> None:
    clickhouse.command("CREATE DATABASE edited")
    clickhouse.command("CREATE TABLE edited.schema_migrations AS schema_migrations ENGINE = MergeTree ORDER BY name")
    clickhouse.command(
        "INSERT INTO edited.schema_migrations SELECT name, repeat('0', 64), applied_at FROM schema_migrations"
    )
    try:
        clickhouse_url.CLICKHOUSE_URL = clickhouse_url.CLICKHOUSE_URL.replace("/axonize", "/edited")
        assert only(of_clickhouse.schema).mend.startswith("Applied schema files were edited: 0001_")
    finally:
        clickhouse.command("DROP DATABASE edited SYNC")


@pytest.mark.usefixtures("clickhouse_schema")
def test_a_change_that_clickhouse_can_not_make_is_found() -> None:
    assert bad(of_clickhouse.work) == []
    clickhouse.command("CREATE TABLE sick (a String) ENGINE = MergeTree ORDER BY tuple()")
    try:
        clickhouse.command("INSERT INTO sick VALUES ('no number')")
        clickhouse.command("ALTER TABLE sick UPDATE a = toString(toUInt8(a)) WHERE 1", settings={"mutations_sync": 0})
        wait_until(lambda: bad(of_clickhouse.work), 60)
        assert only(of_clickhouse.work).what.startswith("A change of sick does not succeed: ")
    finally:
        clickhouse.command("DROP TABLE sick SYNC")


@pytest.mark.usefixtures("clickhouse_schema")
def test_a_partition_of_many_parts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_clickhouse, "MANY_PARTS", 2)
    clickhouse.command("CREATE TABLE torn (a UInt8) ENGINE = MergeTree ORDER BY tuple()")
    try:
        clickhouse.command("SYSTEM STOP MERGES torn")
        for _ in range(3):
            clickhouse.command("INSERT INTO torn VALUES (1)")
        assert "torn has 3 parts in the partition" in " ".join(finding.what for finding in bad(of_clickhouse.work))
    finally:
        clickhouse.command("DROP TABLE torn SYNC")


@pytest.mark.usefixtures("clickhouse_schema")
def test_a_user_who_may_not_do_what_is_needed_is_told_the_grant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bad(of_clickhouse.server) == []
    monkeypatch.setattr(of_clickhouse, "_may", lambda privilege, _on: privilege not in {"ALTER", "DROP VIEW"})
    assert only(of_clickhouse.server).mend == (
        "Run, as its administrator: `GRANT ALTER, DROP VIEW ON `axonize`.* TO default`."
    )


@pytest.mark.usefixtures("clickhouse_schema")
def test_a_cluster_whose_database_is_a_single_servers_is_found(settings: Settings) -> None:
    settings.CLICKHOUSE_CLUSTER = "axonize_cluster"
    found = only(of_clickhouse.schema)
    assert found.what == "CLICKHOUSE_CLUSTER and the server do not fit one another."
    assert found.mend.startswith("The database axonize is a single server's: name another one in CLICKHOUSE_URL")


@pytest.mark.usefixtures("clickhouse_schema")
def test_on_a_cluster_the_user_needs_its_rights_in_both_databases(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CLICKHOUSE_CLUSTER = "axonize_cluster"
    monkeypatch.setattr(of_clickhouse, "_may", lambda _privilege, _on: False)
    mends = [finding.mend for finding in bad(of_clickhouse.server)]
    assert [mend.partition(" ON ")[2].partition(" TO ")[0] for mend in mends] == [
        "`axonize`.*", "`axonize_local`.*", "*.*",
    ]  # fmt: skip
    assert mends[-1] == (
        "Run, as its administrator: `GRANT SYSTEM RELOAD DICTIONARY, CLUSTER, REMOTE ON *.* TO default`."
    )


@pytest.mark.usefixtures("clickhouse_schema")
def test_a_registry_that_is_not_in_clickhouse_is_found(clickhouse_url: Settings) -> None:
    assert bad(of_registry.dictionary) == []
    clickhouse_url.CLICKHOUSE_URL = clickhouse_url.CLICKHOUSE_URL.replace("/axonize", "/default")
    clickhouse.get_client.cache_clear()
    assert only(of_registry.dictionary).mend.startswith("Run `manage.py migrate_clickhouse`")


@pytest.mark.django_db
def test_who_listens_beyond_this_machine_needs_a_key(settings: Settings) -> None:
    settings.REQUIRE_API_KEY = True
    assert "create_api_key" in only(of_registry.api_keys).mend


def test_settings_that_are_unsafe_beyond_this_machine_are_found(settings: Settings) -> None:
    assert bad(configuration.configuration) == []
    settings.BIND = "0.0.0.0"  # noqa: S104 - it is what must be found
    settings.ALLOWED_HOSTS = ["*"]
    found = bad(configuration.configuration)
    assert found[0].level == Level.FAIL
    assert "openssl rand" in found[0].mend
    assert any("ALLOWED_HOSTS" in finding.mend for finding in found)


def certified(settings: Settings, tmp_path: Path, *, for_days: float) -> None:
    """Name a certificate in the settings that ends in so many days."""
    now = datetime.now(UTC)
    issued = trustme.CA().issue_cert(
        "localhost", not_before=now - timedelta(days=30), not_after=now + timedelta(days=for_days)
    )
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(str(certificate), append=number > 0)
    issued.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    settings.TLS_CERT_FILE, settings.TLS_KEY_FILE = str(certificate), str(key)


@pytest.mark.parametrize(
    ("for_days", "level", "what"),
    [
        (-1, Level.FAIL, "The certificate has expired."),
        (5.01, Level.WARN, "The certificate expires in 5.0 days."),
        (90.5, Level.OK, "The certificate is good for 90 days."),
    ],
)
def test_how_long_a_certificate_is_good_is_told(
    settings: Settings, tmp_path: Path, for_days: float, level: Level, what: str
) -> None:
    certified(settings, tmp_path, for_days=for_days)
    [finding] = tls_files.certificate()
    assert (finding.level, finding.what) == (level, what)


def test_a_key_that_anybody_can_read_is_found(settings: Settings, tmp_path: Path) -> None:
    certified(settings, tmp_path, for_days=90)
    (tmp_path / "key.pem").chmod(0o644)
    assert only(tls_files.certificate).mend == f"Run `chmod o-rwx {tmp_path / 'key.pem'}`."


def test_files_that_do_not_fit_are_found(settings: Settings, tmp_path: Path) -> None:
    certified(settings, tmp_path, for_days=90)
    settings.TLS_KEY_FILE = "/nowhere/key.pem"
    assert "can't be read" in only(tls_files.certificate).mend


def test_packages_of_another_version_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(installation.locked(installation.lock_file())) > 50
    lock = tmp_path / "base.txt"
    monkeypatch.setattr(installation, "lock_file", lambda: lock)
    lock.write_text(f"django=={django.__version__} \\\n    --hash=sha256:00\n")
    assert bad(installation.packages) == []
    lock.write_text(
        "django==1.0 \\\n    --hash=sha256:00\nno-such-package==1\nredis==0 ; python_version < '3'\n# end\n"
    )
    monkeypatch.setattr(installation, "lock_file", lambda: lock)
    finding = only(installation.packages)
    assert finding.what.startswith("2 packages differ from base.txt: django is 5.")
    assert finding.what.endswith(" and not 1.0, no-such-package is missing.")


@pytest.mark.parametrize(
    ("free_gib", "total_gib", "level"),
    [(0.5, 100, Level.FAIL), (4, 100, Level.WARN), (4, 20, Level.OK), (50, 100, Level.OK)],
)
def test_a_disk_that_is_nearly_full_is_found(free_gib: float, total_gib: int, level: Level) -> None:
    assert space("A disk", free_bytes=int(free_gib * GIB), total_bytes=total_gib * GIB).level == level


def test_processes_that_are_not_ready_are_found(settings: Settings, tmp_path: Path) -> None:
    settings.HEALTH_DIR = tmp_path
    Heartbeat(tmp_path, "receiver").write(State())
    Heartbeat(tmp_path, "worker").write(State(unready="ClickHouse does not answer."))
    Heartbeat(tmp_path, "beat").write(State(hung="Its loop has not turned."))
    levels = [finding.level for finding in parts.parts()]
    assert levels == [Level.OK, Level.WARN, Level.FAIL, Level.WARN], "the web process does not run at all"
