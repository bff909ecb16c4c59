"""Brings ClickHouse to the schema: runs the files of schema/ in order, each once, and remembers their checksums."""

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver import Client

from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.errors import classify

SCHEMA_DIR = Path(__file__).parent / "schema"
MUTATION_PAUSE_SECONDS = 0.2
FILE_NAME = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")


class SchemaChanged(Exception):
    """A file that was applied has since been edited, or is gone; applied files are frozen, a change is a new file."""


class MutationFailed(Exception):
    """What is stored could not be changed; once the reason is gone, ClickHouse goes on by itself."""


@dataclass(frozen=True)
class Migration:
    """One file of the schema: one statement."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(schema_dir: Path = SCHEMA_DIR) -> list[Migration]:
    """Return all files of the schema, in order. Raises ValueError for a name that is not NNNN_name.sql."""
    paths = sorted(schema_dir.glob("*.sql"))
    misnamed = [path.name for path in paths if not FILE_NAME.match(path.name)]
    if misnamed:
        raise ValueError(f"Schema files must be named NNNN_name.sql: {', '.join(misnamed)}")
    return [Migration(name=path.stem, sql=path.read_text()) for path in paths]


def pending(schema_dir: Path = SCHEMA_DIR, *, database: str = "") -> list[Migration]:
    """Return what is not applied yet to a database, CLICKHOUSE_URL's unless told otherwise, in order.

    Raises SchemaChanged, ClickHouseUnavailable, ClickHouseError.
    """
    applied = _applied(clickhouse.connect(database="default"), database or clickhouse.database_name())
    known = migrations(schema_dir)
    gone = applied.keys() - {migration.name for migration in known}
    if gone:
        raise SchemaChanged(
            f"ClickHouse has migrations unknown to this version: {', '.join(sorted(gone))}. Run the newer version."
        )
    changed = [m.name for m in known if m.name in applied and applied[m.name] != m.checksum]
    if changed:
        raise SchemaChanged(
            f"Applied schema files were edited: {', '.join(changed)}. Restore them and put the change into a new file."
        )
    return [migration for migration in known if migration.name not in applied]


def migrate(schema_dir: Path = SCHEMA_DIR, *, database: str = "") -> Iterator[Migration]:
    """Apply what is pending and yield each migration once it is done; `database` as in `pending`.

    Every statement can be repeated, so that a run that died between a statement and its record is mended by the next.
    Raises SchemaChanged, MutationFailed, ClickHouseUnavailable, ClickHouseError.
    """
    database = database or clickhouse.database_name()
    _command(
        clickhouse.connect(database="default"), "CREATE DATABASE IF NOT EXISTS {database:Identifier}", database=database
    )
    client = clickhouse.connect(database=database)
    _command(
        client,
        """
        CREATE TABLE IF NOT EXISTS schema_migrations
        (
            name String,
            checksum FixedString(64),
            applied_at DateTime('UTC') DEFAULT now()
        )
        ENGINE = MergeTree
        ORDER BY name
        """,
    )
    for migration in pending(schema_dir, database=database):
        _command(client, filled_in(migration.sql, database=database))
        _wait_for_mutations(client)
        try:
            client.insert(
                "schema_migrations", [[migration.name, migration.checksum]], column_names=["name", "checksum"]
            )
        except Exception as error:
            raise classify(error, reading=False) from error
        yield migration


def filled_in(sql: str, *, database: str = "") -> str:
    """Return a statement with {database}, {user} and {password} as CLICKHOUSE_URL names them; `database` as above.

    DDL takes no bound parameters; these values come from our own setting, never from a request.
    """
    user, password = clickhouse.credentials()
    names = (("database", database or clickhouse.database_name()), ("user", user), ("password", password))
    for name, value in names:
        sql = sql.replace(f"{{{name}}}", value.replace("\\", "\\\\").replace("'", "\\'"))
    return sql


def _applied(client: Client, database: str) -> dict[str, str]:
    """Return the checksum of each applied migration by name; nothing is applied where the table is not there."""
    try:
        tables = client.query(
            "SELECT name FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'",
            parameters={"database": database},
        )
        if not tables.row_count:
            return {}
        rows = client.query(
            "SELECT name, any(checksum) FROM {database:Identifier}.schema_migrations GROUP BY name",
            parameters={"database": database},
        ).result_rows
    except Exception as error:
        raise classify(error, reading=False) from error
    return {name: checksum.decode() if isinstance(checksum, bytes) else checksum for name, checksum in rows}


def _wait_for_mutations(client: Client) -> None:
    """Wait until what the statement set going in the background is done: the next one may take away what it reads.

    Raises MutationFailed, ClickHouseUnavailable, ClickHouseError.
    """
    while True:
        try:
            failures = client.query(
                "SELECT latest_fail_reason FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"
            ).result_rows
        except Exception as error:
            raise classify(error, reading=False) from error
        if not failures:
            return
        [reason] = failures[0]
        if reason:
            raise MutationFailed(f"ClickHouse could not change what is stored, and goes on trying: {reason}")
        time.sleep(MUTATION_PAUSE_SECONDS)


def _command(client: Client, sql: str, **parameters: object) -> None:
    try:
        client.command(sql, parameters=parameters)
    except Exception as error:
        raise classify(error, reading=False) from error
