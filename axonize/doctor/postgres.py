"""PostgreSQL: its version, its schema, and what the role may do there."""

import time
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from axonize.doctor.finding import Check, Finding, clock, fail, ok, warn

LEAST_VERSION: Final = 140_000  # as Django 5.2 asks
PROCESSES: Final = 3  # with a pool of connections each: the web process, the worker, and one for commands
LACKING_SQL: Final = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND NOT (
    has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
    AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
ORDER BY 1
"""


def server() -> Iterator[Finding]:
    """Look at the database that DATABASE_URL names."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        mend = "Start it, and look at DATABASE_URL; `manage.py up` starts one of its own where that is not set."
        yield fail(f"It does not answer: {' '.join(str(error).split())}", mend)
        return
    yield _version()
    yield from _rights()
    yield from _room()
    asked_s = time.time()
    theirs_s = float(_row("SELECT extract(epoch FROM clock_timestamp())")[0])
    yield clock("PostgreSQL", theirs_s=theirs_s, asked_s=asked_s, answered_s=time.time())


def migrations() -> Iterator[Finding]:
    """Look for migrations that are not applied."""
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        yield fail(f"{len(pending)} migrations are pending, the first is {pending[0][0]}.", "Run `manage.py migrate`.")
    else:
        yield ok("No migration is pending.")


def _version() -> Finding:
    number, text = _row("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
    if number < LEAST_VERSION:
        return fail(f"It is version {text}.", "Install PostgreSQL 14 or later.")
    return ok(f"It answers, version {text}.")


def _rights() -> Iterator[Finding]:
    role, schema, encoding, is_replica, may_create = _row(
        """
        SELECT current_user, current_schema(), getdatabaseencoding(), pg_is_in_recovery(),
            coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
        """
    )
    faults = []
    if is_replica:
        faults.append(fail("It is a replica, which takes no writes.", "Name the primary in DATABASE_URL."))
    if encoding != "UTF8":
        mend = "Make the database anew: `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`."
        faults.append(fail(f"The database's encoding is {encoding}.", mend))
    if not may_create:
        mend = f"Run, as its owner: `GRANT CREATE ON SCHEMA {schema or 'public'} TO {role}`."
        faults.append(fail(f"{role} may create nothing there, which migrations do.", mend))
    with connection.cursor() as cursor:
        cursor.execute(LACKING_SQL)
        lacking = [name for (name,) in cursor.fetchall()]
    if lacking:
        mend = (
            f"Run, as their owner: `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}`."
        )
        faults.append(fail(f"{role} may not read and write {', '.join(lacking[:3])}.", mend))
    yield from faults or [ok(f"{role} may do what it has to.")]


def _room() -> Iterator[Finding]:
    most, reserved = _row(
        "SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int"
    )
    wanted = settings.DATABASE_POOL_SIZE * (PROCESSES + settings.RECEIVER_PROCESSES)
    if wanted > most - reserved:
        yield warn(
            f"Its max_connections leave {most - reserved}, and the processes may want {wanted}.",
            "Raise max_connections, or lower AXONIZE_DATABASE_POOL_SIZE.",
        )


def _row(sql: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row: tuple[Any, ...] = cursor.fetchone()
        return row


CHECKS: Final[dict[str, Check]] = {"PostgreSQL": server, "PostgreSQL's schema": migrations}
