"""Makes a backup of both databases as of one moment, and restores one into databases that nobody has used."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from axonize.backup import clickhouse, manifest, postgres
from axonize.backup.errors import BackupError
from axonize.backup.manifest import Manifest
from axonize.backup.writing import written
from axonize.clickhouse import client as clickhouse_client, migrator, retention
from axonize.clickhouse.tables import loaded
from ingest.gpu_time_schedule import GPU_TIME
from ingest.pause import writing_paused
from ingest.queue import connect
from ingest.summary_schedule import SUMMARIES
from registry import sync

Say = Callable[[str], None]


def backup(directory: Path, say: Say) -> Manifest:
    """Write a backup into a directory, which is made and must be empty.

    Writers rest for the moment that it takes to hold both databases as they are; then all goes on beside it. Of every
    batch the backup has all or nothing.

    Raises BackupError, WritingGoesOn, OSError, psycopg.Error, django.db.DatabaseError, redis.RedisError,
    ClickHouseUnavailable, ClickHouseError; what is in the directory then is no backup.
    """
    clickhouse.require_one_server()
    _require_migrated()
    _make_empty(directory)
    names = clickhouse.tables()
    with ExitStack() as stack:
        session = stack.enter_context(postgres.alone())
        copied = stack.enter_context(clickhouse.copy(names, purpose="backup"))
        began = time.monotonic()
        with writing_paused(connect()):
            copied.take()
            held = postgres.hold_moment(session)
            taken_at = datetime.now(UTC)
        say(f"Both databases are held as of {taken_at:%Y-%m-%d %H:%M:%S} UTC; writers rested for at most "
            f"{time.monotonic() - began:.1f} s.")  # fmt: skip
        postgres.dump(directory, held)
        session.execute("COMMIT")
        dumped = written(directory, postgres.DUMP)
        say(f"PostgreSQL: {dumped.size_bytes / 1e6:,.1f} MB.")
        files = clickhouse.save(directory, copied, say)
    made = Manifest(
        taken_at=taken_at.isoformat(),
        finished_at=datetime.now(UTC).isoformat(),
        clickhouse_version=clickhouse.version(),
        clickhouse_migrations=clickhouse.applied_migrations(),
        postgres_version=postgres.server_version(),
        postgres_migrations=postgres.applied_migrations(),
        tenants=held.tenants,
        tables={name: sum(file.rows for file in files if file.table == name) for name in names},
        files=[dumped, *files],
    )
    made.write(directory)
    return made


def restore(directory: Path, say: Say) -> Manifest:
    """Restore a backup into databases that nobody has used, and have made anew what is made of it.

    Everything is read and counted before the first row is where questions see it.

    Raises BackupError and as backup() does, but WritingGoesOn.
    """
    clickhouse.require_one_server()
    found = manifest.read(directory)
    _require_same_schema(found)
    manifest.require_whole(directory, found, say)
    with postgres.alone() as session:
        applied = len(list(migrator.migrate()))
        say(f"ClickHouse: {applied} migrations applied.")
        _require_unused()
        # Before the first row, lest what is kept for longer than the schema says goes as soon as it is back.
        retention.change(retention.changes())
        files = [file for file in found.files if file.table]
        with clickhouse.copy(clickhouse.tables(), purpose="restore") as copied:
            clickhouse.load(directory, copied, files, say)
            postgres.restore(directory, session)
            say("PostgreSQL: restored.")
            copied.hand_over()
    clickhouse_client.command(f"SYSTEM RELOAD DICTIONARY {loaded('registry')}")
    client = connect()
    for upkeep in (GPU_TIME, SUMMARIES):
        upkeep.begin_again(client)
    sync.begin_again()
    return found


def _make_empty(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise BackupError(f"{directory} is not empty. Name a directory that is, or is not there yet.")


def _require_migrated() -> None:
    missing = [migration.name for migration in migrator.pending()]
    if missing or set(postgres.applied_migrations()) < set(postgres.known_migrations()):
        raise BackupError("The databases lack migrations of this version. Run migrate and migrate_clickhouse first.")


def _require_same_schema(found: Manifest) -> None:
    """Refuse the backup of another version, whose rows may mean something else. Raises BackupError."""
    ours = {migration.name: migration.checksum for migration in migrator.migrations()}
    newer = (found.clickhouse_migrations.keys() - ours.keys()) or (
        set(found.postgres_migrations) - set(postgres.known_migrations())
    )
    if newer:
        raise BackupError(
            f"The backup is of a newer or another version of Axonize: it has {min(newer)}. "
            "Restore it with the version that made it."
        )
    if found.clickhouse_migrations != ours or set(found.postgres_migrations) != set(postgres.known_migrations()):
        raise BackupError(
            "The backup is of an older version of Axonize. "
            "Restore it with the version that made it, then upgrade and run migrate and migrate_clickhouse."
        )


def _require_unused() -> None:
    used = clickhouse.used_tables()
    if used:
        raise BackupError(
            f"The ClickHouse database is in use: {', '.join(used)} have rows. "
            "Restore into an empty one, which CLICKHOUSE_URL names."
        )
    postgres.require_unused()
