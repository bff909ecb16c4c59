"""The ClickHouse migrator: each file once, in order, frozen."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver import Client
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from axonize.clickhouse import migrator
from axonize.clickhouse.client import connect
from axonize.clickhouse.errors import ClickHouseError, ClickHouseUnavailable
from tests.engines import free_ports


@pytest.fixture
def database(engines: object, settings: Settings) -> Iterator[Client]:  # noqa: ARG001  it must run
    """Yield a client on a server where the database `scratch` is what the settings name, and is not there yet."""
    settings.CLICKHOUSE_URL = settings.CLICKHOUSE_URL.replace("/axonize", "/scratch")
    client = connect(database="default")
    yield client
    client.command("DROP DATABASE IF EXISTS scratch SYNC")
    client.close()


@pytest.fixture
def schema_dir(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE IF NOT EXISTS first (n Int8) ENGINE = Memory")
    (tmp_path / "0002_second.sql").write_text("CREATE VIEW IF NOT EXISTS second AS SELECT n FROM {database}.first")
    return tmp_path


def names(migrations: list[migrator.Migration]) -> list[str]:
    return [migration.name for migration in migrations]


def test_it_applies_each_file_once_and_in_order(database: Client, schema_dir: Path) -> None:
    assert names(migrator.pending(schema_dir)) == ["0001_first", "0002_second"]
    assert names(list(migrator.migrate(schema_dir))) == ["0001_first", "0002_second"]
    assert migrator.pending(schema_dir) == []
    assert list(migrator.migrate(schema_dir)) == []
    assert database.query("SELECT count() FROM scratch.second").result_rows == [(0,)]


def test_asking_again_and_again_what_is_pending_opens_no_further_connection(database: Client, schema_dir: Path) -> None:
    list(migrator.migrate(schema_dir))
    migrator.pending(schema_dir)
    before = open_sockets()
    for _ in range(5):
        migrator.pending(schema_dir)
    assert open_sockets() == before
    assert database.query("SELECT 1").result_rows == [(1,)]


def open_sockets() -> int:
    return sum(path.is_socket() for path in Path("/proc/self/fd").iterdir())


def test_it_applies_only_what_is_new(database: Client, schema_dir: Path) -> None:  # noqa: ARG001  cleans up
    list(migrator.migrate(schema_dir))
    (schema_dir / "0003_third.sql").write_text("CREATE TABLE IF NOT EXISTS third (n Int8) ENGINE = Memory")
    assert names(list(migrator.migrate(schema_dir))) == ["0003_third"]


def test_another_database_gets_the_same_schema_and_names_itself_in_it(database: Client, schema_dir: Path) -> None:
    try:
        assert names(list(migrator.migrate(schema_dir, database="scratch_other"))) == ["0001_first", "0002_second"]
        assert migrator.pending(schema_dir, database="scratch_other") == []
        assert names(migrator.pending(schema_dir)) == ["0001_first", "0002_second"]
        assert database.query("SELECT count() FROM scratch_other.second").result_rows == [(0,)]
    finally:
        database.command("DROP DATABASE scratch_other SYNC")


def test_a_file_that_fails_is_not_recorded_and_runs_again_once_mended(database: Client, schema_dir: Path) -> None:  # noqa: ARG001  cleans up
    broken = schema_dir / "0003_third.sql"
    broken.write_text("CREATE TABLE IF NOT EXISTS third (n NoSuchType) ENGINE = Memory")
    with pytest.raises(ClickHouseError):
        list(migrator.migrate(schema_dir))
    broken.write_text("CREATE TABLE IF NOT EXISTS third (n Int8) ENGINE = Memory")
    assert names(list(migrator.migrate(schema_dir))) == ["0003_third"]


def test_an_applied_file_that_was_edited_is_refused(database: Client, schema_dir: Path) -> None:  # noqa: ARG001  cleans up
    list(migrator.migrate(schema_dir))
    (schema_dir / "0001_first.sql").write_text("CREATE TABLE first (n Int16) ENGINE = Memory")
    with pytest.raises(migrator.SchemaChanged, match="0001_first"):
        migrator.pending(schema_dir)


def test_a_schema_newer_than_the_code_is_refused(database: Client, schema_dir: Path) -> None:  # noqa: ARG001  cleans up
    list(migrator.migrate(schema_dir))
    (schema_dir / "0002_second.sql").unlink()
    with pytest.raises(migrator.SchemaChanged, match="Run the newer version"):
        migrator.pending(schema_dir)


STORED = (
    "CREATE TABLE IF NOT EXISTS stored (n Int64) ENGINE = MergeTree ORDER BY n",
    "INSERT INTO stored SELECT number FROM numbers(200)",
)


def write_files(schema_dir: Path, *statements: str) -> None:
    for number, statement in enumerate(statements, 3):
        (schema_dir / f"{number:04}_change.sql").write_text(statement)


def test_a_file_may_take_away_what_the_one_before_reads_in_the_background(database: Client, schema_dir: Path) -> None:
    write_files(
        schema_dir,
        *STORED,
        "ALTER TABLE stored ADD COLUMN IF NOT EXISTS twice Int64 DEFAULT 2 * n + sleepEachRow(0.005)",
        "ALTER TABLE stored MATERIALIZE COLUMN twice SETTINGS mutations_sync = 0",
        "ALTER TABLE stored MODIFY COLUMN twice DEFAULT 0",
    )
    list(migrator.migrate(schema_dir))
    assert database.query("SELECT sum(twice) FROM scratch.stored").result_rows == [(199 * 200,)]


def test_a_change_that_fails_in_the_background_is_told(database: Client, schema_dir: Path) -> None:  # noqa: ARG001  cleans up
    write_files(
        schema_dir,
        *STORED,
        "ALTER TABLE stored ADD COLUMN IF NOT EXISTS twice Int64 DEFAULT throwIf(n = 7, 'seven')",
        "ALTER TABLE stored MATERIALIZE COLUMN twice SETTINGS mutations_sync = 0",
    )
    with pytest.raises(migrator.MutationFailed, match="seven"):
        list(migrator.migrate(schema_dir))


def test_a_misnamed_file_is_refused(schema_dir: Path) -> None:
    (schema_dir / "third.sql").touch()
    with pytest.raises(ValueError, match=r"third\.sql"):
        migrator.migrations(schema_dir)


def test_the_dictionary_reads_as_the_user_of_the_url(settings: Settings) -> None:
    settings.CLICKHOUSE_URL = "https://axonize:it%27s%5Csecret@clickhouse.example:8443/spans"
    sql = migrator.filled_in("{database} USER '{user}' PASSWORD '{password}' {name:String}")
    assert sql == r"spans USER 'axonize' PASSWORD 'it\'s\\secret' {name:String}"


@pytest.mark.parametrize("migration", migrator.migrations(), ids=lambda migration: migration.name)
def test_no_file_changes_a_view_in_place(migration: migrator.Migration) -> None:
    """Its tokens would be others until ClickHouse starts again, and a batch written again be stored again."""
    assert "MODIFY QUERY" not in uncommented(migration.sql).upper()


def uncommented(sql: str) -> str:
    return "\n".join(line.split("--")[0] for line in sql.splitlines())


def test_each_file_of_the_schema_says_what_it_is_for() -> None:
    for migration in migrator.migrations():
        assert migration.sql.startswith("-- "), migration.name


def command(*arguments: str) -> str:
    output = io.StringIO()
    call_command("migrate_clickhouse", *arguments, stdout=output)
    return output.getvalue()


def test_the_command_plans_checks_and_applies(database: Client) -> None:
    assert "CREATE TABLE IF NOT EXISTS spans" in command("--plan")
    assert not database.query("SELECT name FROM system.databases WHERE name = 'scratch'").result_rows
    with pytest.raises(CommandError, match=r"Pending: 0001_spans.*Run manage.py migrate_clickhouse"):
        command("--check")
    assert "Applied 0001_spans" in command()
    assert command("--check") == "ClickHouse has the schema of this version.\n"
    assert command("--plan") == ""
    assert command() == "ClickHouse has the schema of this version.\n"


def test_a_server_that_is_away_is_one_clear_sentence(settings: Settings) -> None:
    [port] = free_ports(1)
    settings.CLICKHOUSE_URL = f"http://127.0.0.1:{port}/axonize"
    with pytest.raises(ClickHouseUnavailable):
        migrator.pending()
    with pytest.raises(CommandError, match="ClickHouse does not answer"):
        command("--check")
