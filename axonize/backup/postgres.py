"""PostgreSQL's half of a backup: pg_dump and pg_restore, at the moment that a session of ours holds."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import QuerySet
from psycopg.conninfo import make_conninfo

from axonize.backup.errors import BackupError
from axonize.database import close_connections
from axonize.embedded.datadir import DataDirectoryError
from axonize.embedded.postgres import binaries
from ingest.models import DeadLetter
from registry.models import ApiKey, ComputeResource, Node, PhysicalGPU, Tenant

DUMP: Final = "postgres.dump"
_ADVISORY_LOCK: Final = int.from_bytes(b"backup")
_SESSION: Final = "-c statement_timeout=0"  # an index of a large table outlasts any page
_OTHERS_LEAVE_SECONDS: Final = 5.0
_LIBPQ_NAMES: Final = frozenset(option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults())


@dataclass(frozen=True)
class Session:
    """A session that holds a moment of the database: what others see of it is `snapshot`."""

    connection: "psycopg.Connection[tuple[object, ...]]"
    snapshot: str
    tenants: Sequence[str]


@contextmanager
def alone() -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Keep other backups and restores away for as long as the context lasts, and this process lives.

    Raises BackupError.
    """
    try:
        session = psycopg.connect(_conninfo(with_password=True), autocommit=True)
    except psycopg.Error as error:
        raise BackupError(f"PostgreSQL does not answer: {error}") from error
    with session:
        row = session.execute("SELECT pg_try_advisory_lock(%s)", [_ADVISORY_LOCK]).fetchone()
        if row is None or not row[0]:
            raise BackupError("Another backup or restore is at work. Wait until it has ended.")
        yield session


def hold_moment(session: "psycopg.Connection[tuple[object, ...]]") -> Session:
    """Hold the database as it is now for pg_dump, until the session's transaction ends. Raises psycopg.Error."""
    session.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    (exported,) = session.execute("SELECT pg_export_snapshot()").fetchall()
    tenants = session.execute("SELECT slug FROM registry_tenant ORDER BY slug").fetchall()
    return Session(session, str(exported[0]), [str(slug) for (slug,) in tenants])


def dump(directory: Path, held: Session) -> None:
    """Write the database as of the moment that is held. Raises BackupError."""
    target = directory / DUMP
    _run("pg_dump", "--format=custom", f"--snapshot={held.snapshot}", f"--file={target}")


def restore(directory: Path, session: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Put the dump in the place of all there is, whole or not at all; `session` is that of alone(). Raises BackupError.

    pg_restore would wait for ever for a table that somebody has a lock on.
    """
    close_connections()
    _require_nobody_else(session)
    _run("pg_restore", "--clean", "--if-exists", "--single-transaction", "--exit-on-error", str(directory / DUMP))


def _require_nobody_else(session: "psycopg.Connection[tuple[object, ...]]") -> None:
    until = time.monotonic() + _OTHERS_LEAVE_SECONDS
    while others := session.execute(
        """
        SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND pid != pg_backend_pid() AND backend_type = 'client backend'
        """
    ).fetchall():
        if time.monotonic() > until:
            raise BackupError(
                f"{len(others)} other connections use the PostgreSQL database. "
                "Stop receiver, worker, beat and web first, and whatever else is connected."
            )
        time.sleep(0.05)


def server_version() -> str:
    """Return the server's version, `18.4`. Raises django.db.DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (version,) = cursor.fetchone()
    return str(version).split()[0]


def applied_migrations() -> list[str]:
    """Return what is applied, as `app.name`. Raises django.db.DatabaseError."""
    return sorted(f"{app}.{name}" for app, name in MigrationLoader(connection).applied_migrations)


def known_migrations() -> list[str]:
    """Return what this version would apply."""
    return sorted(f"{app}.{name}" for app, name in MigrationLoader(connection).graph.nodes)


def require_unused() -> None:
    """Raise BackupError where somebody has used the database. Raises django.db.DatabaseError."""
    tables = set(connection.introspection.table_names())
    in_use: dict[str, tuple[str, QuerySet[Any]]] = {
        "tenants": ("registry_tenant", Tenant.objects.exclude(slug=settings.DEFAULT_TENANT)),
        "API keys": ("registry_apikey", ApiKey.objects.all()),
        "nodes": ("registry_node", Node.objects.all()),
        "cards": ("registry_physicalgpu", PhysicalGPU.objects.all()),
        "compute resources": ("registry_computeresource", ComputeResource.objects.all()),
        "dead letters": ("ingest_deadletter", DeadLetter.objects.all()),
    }
    for name, (table, rows) in in_use.items():
        if table in tables and rows.exists():
            raise BackupError(
                f"The PostgreSQL database is in use: it has {name}. "
                "Restore into an empty one, which DATABASE_URL names."
            )


def _run(program: str, *arguments: str) -> None:
    path = _program(program)
    argv = [str(path), "--no-owner", "--no-privileges", f"--dbname={_conninfo(with_password=False)}", *arguments]
    password = connection.get_connection_params().get("password")
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip()}")


def _program(name: str) -> Path:
    """Return the program that fits the server: the one on PATH, else the embedded one. Raises BackupError."""
    wanted = int(server_version().split(".")[0])
    candidates = [Path(found)] if (found := shutil.which(name)) else []
    with suppress(DataDirectoryError):
        candidates.append(binaries() / name)
    versions = {path: _major_version(path) for path in candidates if path.exists()}
    for path, version in versions.items():
        if version >= wanted:
            return path
    has = " and ".join(str(version) for version in versions.values()) or "none"
    raise BackupError(
        f"{name} of PostgreSQL {wanted} or later is needed, and here is {has}: install postgresql-client-{wanted}."
    )


def _major_version(program: Path) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - ours
    number = re.search(r"\) (\d+)", told)
    return int(number[1]) if number else 0


def _conninfo(*, with_password: bool) -> str:
    """Return how to reach the database, as libpq reads it. The password is no argument of a program: all see those."""
    given = connection.get_connection_params()
    named = {
        name: value
        for name, value in given.items()
        if name in _LIBPQ_NAMES and (with_password or name != "password") and value is not None
    }
    return make_conninfo(**{**named, "options": f"{given.get('options', '')} {_SESSION}".strip()})
