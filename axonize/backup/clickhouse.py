"""ClickHouse's half of a backup: each table's parts as of one moment, through the interface that every server has.

A moment is held in a database of its own, whose tables share the parts of ours, on the disk too, so it costs neither
time nor space until merges take the parts' place. Nothing is merged there. What is restored is gathered in such a
database as well and handed over once it is whole, past the views, which have been over these rows before.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver import Client
from clickhouse_connect.driver.binding import quote_identifier

from axonize.backup.errors import BackupError
from axonize.backup.manifest import BackupFile
from axonize.backup.writing import write_compressed
from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.errors import classify

FOLDER: Final = "clickhouse"
# What is made of what was written lately: ingest.upkeep looks at everything after a restore.
FEEDS: Final = frozenset({"trace_changes", "gpu_time_changes"})
_NOT_KEPT: Final = FEEDS | {"schema_migrations"}
# Of a table's largest part
_TIMEOUT_SECONDS: Final = 3600
_PIECE_BYTES: Final = 1024 * 1024
# A block as it was written, and written as it is: no row summed up with another, none taken for one seen before.
_INSERT_SETTINGS: Final[Mapping[str, object]] = {
    "async_insert": 0,
    "insert_deduplicate": 0,
    "optimize_on_insert": 0,
    "max_insert_threads": 1,
}


def require_one_server() -> None:
    """Raise BackupError where ClickHouse is a cluster, of which a server has only its shard."""
    if clickhouse.configured_cluster():
        raise BackupError(
            "This ClickHouse is a cluster, and this command is for one server. "
            "Use BACKUP DATABASE … ON CLUSTER: docs/operations.md says how."
        )


def tables() -> list[str]:
    """Return the tables whose rows a backup holds. Raises ClickHouseUnavailable, ClickHouseError."""
    rows = clickhouse.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    )
    return sorted({row["name"] for row in rows} - _NOT_KEPT)


def version() -> str:
    """Return the server's version. Raises ClickHouseUnavailable, ClickHouseError."""
    (row,) = clickhouse.query("SELECT version() AS version")
    return str(row["version"])


def applied_migrations() -> dict[str, str]:
    """Return the checksums of what is applied, by name. Raises ClickHouseUnavailable, ClickHouseError."""
    rows = clickhouse.query("SELECT name, toString(any(checksum)) AS checksum FROM schema_migrations GROUP BY name")
    return {row["name"]: row["checksum"] for row in rows}


def used_tables() -> list[str]:
    """Return those of the tables that have rows. Raises as tables() does."""
    rows = clickhouse.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN {names:Array(String)} "
        "AND total_rows > 0 ORDER BY name",
        {"names": tables()},
    )
    return [row["name"] for row in rows]


class Copy:
    """A database beside ours, with tables of the same make in which nothing is merged.

    Every method raises ClickHouseUnavailable, ClickHouseError.
    """

    def __init__(self, client: Client, names: Sequence[str]) -> None:
        self._client = client
        self._names = names
        self._ours = clickhouse.database_name()

    def take(self) -> None:
        """Have the parts that our tables have now."""
        for name in self._names:
            self._attach(name, to=str(self._client.database), of=self._ours)

    def hand_over(self) -> None:
        """Let our tables have the parts that these have."""
        for name in self._names:
            self._attach(name, to=self._ours, of=str(self._client.database))

    def parts(self) -> dict[str, dict[str, int]]:
        """Return by table the rows of each part."""
        found: dict[str, dict[str, int]] = {}
        for name in self._names:
            rows = self._rows("SELECT _part, count() FROM {table:Identifier} GROUP BY _part ORDER BY _part", name)
            found[name] = {str(part): int(count) for part, count in rows}
        return found

    def rows(self) -> dict[str, int]:
        """Return the rows of each table."""
        return {name: int(self._rows("SELECT count() FROM {table:Identifier}", name)[0][0]) for name in self._names}

    def read(self, table: str, part: str) -> Iterator[bytes]:
        """Yield a part in ClickHouse's Native format (https://clickhouse.com/docs/interfaces/formats/Native)."""
        try:
            with self._client.raw_stream(
                "SELECT * FROM {table:Identifier} WHERE _part = {part:String}",
                parameters={"table": table, "part": part},
                settings={"max_threads": 1},
                fmt="Native",
            ) as answer:
                while piece := answer.read(_PIECE_BYTES):
                    yield piece
        except Exception as error:
            raise classify(error, reading=False) from error

    def write(self, table: str, path: Path) -> None:
        """Insert a file that `read` gave the content of. Raises OSError too."""
        with path.open("rb") as file:
            try:
                self._client.raw_insert(
                    table, insert_block=file, fmt="Native", compression="zstd", settings=dict(_INSERT_SETTINGS)
                )
            except Exception as error:
                raise classify(error, reading=False) from error

    def _rows(self, sql: str, table: str) -> Sequence[Sequence[Any]]:
        try:
            return self._client.query(sql, parameters={"table": table}).result_rows
        except Exception as error:
            raise classify(error, reading=False) from error

    def _attach(self, name: str, *, to: str, of: str) -> None:
        _command(self._client, f"ALTER TABLE {_of(to, name)} ATTACH PARTITION ALL FROM {_of(of, name)}")


@contextmanager
def copy(names: Sequence[str], *, purpose: str) -> Iterator[Copy]:
    """Make the database, empty, in place of one that a process left which died, and drop it in the end.

    Raises ClickHouseUnavailable, ClickHouseError.
    """
    ours = clickhouse.database_name()
    database = f"{ours}_{purpose}"
    with clickhouse.connect(database="default", timeout_seconds=_TIMEOUT_SECONDS) as server:
        _command(server, f"DROP DATABASE IF EXISTS {quote_identifier(database)} SYNC")
        _command(server, f"CREATE DATABASE {quote_identifier(database)}")
        try:
            for name in names:
                _command(server, f"CREATE TABLE {_of(database, name)} AS {_of(ours, name)}")
                _command(server, f"SYSTEM STOP MERGES {_of(database, name)}")
            with clickhouse.connect(database=database, timeout_seconds=_TIMEOUT_SECONDS) as client:
                yield Copy(client, names)
        finally:
            _command(server, f"DROP DATABASE IF EXISTS {quote_identifier(database)} SYNC")


def save(directory: Path, copied: Copy, say: Callable[[str], None]) -> list[BackupFile]:
    """Write a file a part. Raises OSError, ClickHouseUnavailable, ClickHouseError."""
    files: list[BackupFile] = []
    for table, parts in copied.parts().items():
        for part, rows in parts.items():
            path = f"{FOLDER}/{table}/{part}.native.zst"
            files.append(write_compressed(directory, path, copied.read(table, part), table=table, rows=rows))
        size_bytes = sum(file.size_bytes for file in files if file.table == table)
        say(f"ClickHouse {table}: {sum(parts.values()):,} rows, {size_bytes / 1e6:,.1f} MB.")
    return files


def load(directory: Path, copied: Copy, files: Iterable[BackupFile], say: Callable[[str], None]) -> None:
    """Insert the files. Raises BackupError where their rows are not all there, and as `save` does."""
    wanted: dict[str, int] = {}
    for file in files:
        copied.write(file.table, directory / file.path)
        wanted[file.table] = wanted.get(file.table, 0) + file.rows
    for table, rows in copied.rows().items():
        if rows != wanted.get(table, 0):
            raise BackupError(f"ClickHouse has {rows:,} rows of {table}, and the backup {wanted.get(table, 0):,}.")
        say(f"ClickHouse {table}: {rows:,} rows.")


def _of(database: str, table: str) -> str:
    """Return the SQL of a table's full name; such statements take no bound parameters."""
    return f"{quote_identifier(database)}.{quote_identifier(table)}"


def _command(client: Client, sql: str) -> None:
    try:
        client.command(sql)
    except Exception as error:
        raise classify(error, reading=False) from error
