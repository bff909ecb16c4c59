"""Brings ClickHouse to the schema: runs the files of schema/ in order, each once, and remembers their checksums."""

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver import Client

from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.cluster import Cluster, Statement
from axonize.clickhouse.cluster_checks import check_servers
from axonize.clickhouse.errors import classify

SCHEMA_DIR = Path(__file__).parent / "schema"
MUTATION_PAUSE_SECONDS = 0.2
STATE_TABLE = """CREATE TABLE IF NOT EXISTS schema_migrations
(
    name String,
    checksum FixedString(64),
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = MergeTree
ORDER BY name
"""
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

    Raises SchemaChanged, ClusterMisconfigured, ClickHouseUnavailable, ClickHouseError.
    """
    client = clickhouse.connect(database="default")
    if not database:
        check_servers(client, clickhouse.configured_cluster(), database=clickhouse.database_name())
    applied = _applied(client, database or clickhouse.database_name())
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

    Another database than CLICKHOUSE_URL's is on the server that answers alone, also of a cluster.
    Every statement can be repeated, so that a run that died between a statement and its record is mended by the next.
    Raises SchemaChanged, MutationFailed, ClusterMisconfigured, UnknownStatement, ClickHouseUnavailable,
    ClickHouseError.
    """
    cluster = None if database else clickhouse.configured_cluster()
    todo = pending(schema_dir, database=database)
    database = database or clickhouse.database_name()
    server = clickhouse.connect(database="default")
    for sql in cluster.databases() if cluster else [f"CREATE DATABASE IF NOT EXISTS `{database}`"]:
        _command(server, sql)
    clients = {name: clickhouse.connect(database=name) for name in (cluster.both if cluster else (database,))}
    for statement in _statements(STATE_TABLE, database, cluster):
        _command(clients[statement.database], statement.sql)
    for migration in todo:
        for statement in _statements(migration.sql, database, cluster):
            _command(clients[statement.database], statement.sql)
            _wait_for_mutations(clients[statement.database], cluster)
        try:
            clients[database].insert(
                "schema_migrations", [[migration.name, migration.checksum]], column_names=["name", "checksum"]
            )
        except Exception as error:
            raise classify(error, reading=False) from error
        yield migration


def plan(schema_dir: Path = SCHEMA_DIR) -> Iterator[tuple[Migration, list[Statement]]]:
    """Yield what is pending, each with what it would run. Raises what `pending` does, UnknownStatement."""
    cluster, database = clickhouse.configured_cluster(), clickhouse.database_name()
    for migration in pending(schema_dir):
        yield (
            migration,
            (cluster.statements(migration.sql) if cluster else [Statement(database=database, sql=migration.sql)]),
        )


def _statements(sql: str, database: str, cluster: Cluster | None) -> list[Statement]:
    filled = filled_in(sql, database=database)
    return cluster.statements(filled) if cluster else [Statement(database=database, sql=filled)]


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


def _wait_for_mutations(client: Client, cluster: Cluster | None) -> None:
    """Wait until what the statement set going in the background is done: the next one may take away what it reads.

    Raises MutationFailed, ClickHouseUnavailable, ClickHouseError.
    """
    mutations = f"clusterAllReplicas('{cluster.name}', system.mutations)" if cluster else "system.mutations"
    while True:
        try:
            failures = client.query(
                f"SELECT latest_fail_reason FROM {mutations} WHERE database = {{database:String}} AND NOT is_done",  # noqa: S608 - a setting's
                parameters={"database": client.database},
            ).result_rows
        except Exception as error:
            raise classify(error, reading=False) from error
        if not failures:
            return
        [reason] = failures[0]
        if reason:
            raise MutationFailed(f"ClickHouse could not change what is stored, and goes on trying: {reason}")
        time.sleep(MUTATION_PAUSE_SECONDS)


def _command(client: Client, sql: str) -> None:
    try:
        client.command(sql)
    except Exception as error:
        raise classify(error, reading=False) from error
