"""What the schema becomes on a cluster, as text; tests/test_shards.py has it run."""

import re
from pathlib import Path

import pytest
from clickhouse_connect.driver import Client
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from axonize.clickhouse import migrator, tables
from axonize.clickhouse.cluster import (
    DOORS,
    LOCAL_ONLY,
    SHARDING_KEYS,
    Cluster,
    Statement,
    UnknownStatement,
)

CLUSTER = Cluster(name="axonize_cluster", database="axonize")
ROOT = Path(__file__).parent.parent


def statements() -> list[Statement]:
    return [statement for migration in migrator.migrations() for statement in CLUSTER.statements(migration.sql)]


def becomes(sql: str) -> list[str]:
    return [statement.sql for statement in CLUSTER.statements(sql)]


def test_a_table_is_replicated_under_its_own_path_and_has_a_distributed_one_on_top() -> None:
    sql = """-- Why it is there.
CREATE TABLE IF NOT EXISTS traces
(
    trace_id FixedString(16)
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, trace_id)
SETTINGS non_replicated_deduplication_window = 10000
"""
    assert becomes(sql) == [
        """-- Why it is there.
CREATE TABLE IF NOT EXISTS `axonize_local`.traces ON CLUSTER 'axonize_cluster'
(
    trace_id FixedString(16)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/axonize_local/traces/{shard}', '{replica}')
ORDER BY (tenant, trace_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800""",
        """CREATE OR REPLACE TABLE `axonize`.traces ON CLUSTER 'axonize_cluster' AS `axonize_local`.traces
ENGINE = Distributed('axonize_cluster', 'axonize_local', 'traces', sipHash64(trace_id))""",
    ]


def test_an_engines_parameters_follow_its_path() -> None:
    [local, _] = becomes(
        "CREATE TABLE IF NOT EXISTS gpu_time (n Int8)\nENGINE = ReplacingMergeTree(version)\nORDER BY n"
    )
    assert (
        "ReplicatedReplacingMergeTree('/clickhouse/tables/axonize_local/gpu_time/{shard}', '{replica}', version)"
        in local
    )


def test_a_table_that_remembers_no_blocks_alone_remembers_none_replicated() -> None:
    [plain, _] = becomes("CREATE TABLE IF NOT EXISTS spans (n Int8)\nENGINE = MergeTree\nORDER BY n")
    assert plain.endswith("ORDER BY n\nSETTINGS replicated_deduplication_window = 0")
    [more, _] = becomes(
        "CREATE TABLE IF NOT EXISTS spans (n Int8)\nENGINE = MergeTree\nORDER BY n\nSETTINGS\n    a = 1"
    )
    assert more.endswith("SETTINGS\n    replicated_deduplication_window = 0, a = 1")


def test_a_table_that_is_replaced_is_dropped_first_so_that_its_replicas_keep_one_path() -> None:
    drop, create, distributed = becomes("CREATE OR REPLACE TABLE summary_runs (n Int8)\nENGINE = MergeTree\nORDER BY n")
    assert drop == "DROP TABLE IF EXISTS `axonize_local`.summary_runs ON CLUSTER 'axonize_cluster' SYNC"
    assert create.startswith("CREATE TABLE IF NOT EXISTS `axonize_local`.summary_runs ON CLUSTER")
    assert distributed.startswith("CREATE OR REPLACE TABLE `axonize`.summary_runs ON CLUSTER")


def test_what_workers_write_to_is_where_queries_are_and_its_views_write_to_all_shards() -> None:
    assert [
        one.database for one in CLUSTER.statements("CREATE TABLE IF NOT EXISTS otlp_inbox (n Int8)\nENGINE = Null")
    ] == ["axonize"]
    [view] = CLUSTER.statements("CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_to_resources TO resources AS SELECT 1")
    assert view == Statement(
        "axonize",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS `axonize`.otlp_to_resources ON CLUSTER 'axonize_cluster'"
        " TO `axonize`.resources AS SELECT 1",
    )


def test_a_view_between_tables_of_a_shard_stays_there() -> None:
    [view] = CLUSTER.statements("CREATE OR REPLACE MATERIALIZED VIEW spans_to_traces TO traces AS SELECT 1")
    assert view == Statement(
        "axonize_local",
        "CREATE OR REPLACE MATERIALIZED VIEW `axonize_local`.spans_to_traces ON CLUSTER 'axonize_cluster'"
        " TO `axonize_local`.traces AS SELECT 1",
    )
    assert becomes("DROP VIEW IF EXISTS spans_to_traces SYNC") == [
        "DROP VIEW IF EXISTS `axonize_local`.spans_to_traces ON CLUSTER 'axonize_cluster' SYNC"
    ]


def test_a_column_is_there_in_both_tables_and_a_setting_in_one() -> None:
    alter, distributed = becomes("ALTER TABLE spans ADD COLUMN IF NOT EXISTS n Int8")
    assert alter == "ALTER TABLE `axonize_local`.spans ON CLUSTER 'axonize_cluster' ADD COLUMN IF NOT EXISTS n Int8"
    assert distributed.startswith("CREATE OR REPLACE TABLE `axonize`.spans ON CLUSTER")
    assert becomes("ALTER TABLE spans MODIFY SETTING non_replicated_deduplication_window = 7") == [
        (
            "ALTER TABLE `axonize_local`.spans ON CLUSTER 'axonize_cluster' MODIFY SETTING"
            " replicated_deduplication_window = 7, replicated_deduplication_window_seconds = 604800"
        )
    ]


def test_every_table_says_where_its_rows_go() -> None:
    created = {
        match[1]: match[2]
        for migration in migrator.migrations()
        for match in re.finditer(
            r"^CREATE (?:OR REPLACE )?TABLE (?:IF NOT EXISTS )?(\w+)$.*^ENGINE = (\w+)",
            migration.sql,
            re.MULTILINE | re.DOTALL,
        )
    }
    distributed = {
        match[1]
        for statement in statements()
        if (
            match := re.search(
                r"ENGINE = Distributed\('axonize_cluster', 'axonize_local', '(\w+)', \w+\(\w+\)\)", statement.sql
            )
        )
    }
    assert {name for name, engine in created.items() if engine != "Null"} == distributed - {"mapped_spans"}
    assert created.keys() == distributed | DOORS.keys() | LOCAL_ONLY
    assert distributed == SHARDING_KEYS.keys() - {"schema_migrations"}


def test_every_view_is_in_the_database_of_what_it_reads() -> None:
    for statement in statements():
        if match := re.search(
            r"MATERIALIZED VIEW [\w ]*`(\w+)`\.\w+ ON CLUSTER.*?\bFROM (\w+)\b", statement.sql, re.DOTALL
        ):
            [*_, source] = re.findall(r"\bFROM ([a-z]\w*)\b", statement.sql)
            assert match[1] == ("axonize" if source in DOORS else "axonize_local"), statement.sql
            assert match[1] == statement.database


def test_every_statement_but_a_copy_of_rows_goes_to_every_server_and_names_its_database() -> None:
    for statement in statements():
        text = re.sub(r"--[^\n]*\n", "", statement.sql).strip()
        if not text.startswith("INSERT"):
            assert re.match(r"[A-Z ]+`axonize(_local)?`\.\w+ ON CLUSTER 'axonize_cluster'", text), text


def test_no_table_keeps_a_single_servers_engine_or_window() -> None:
    texts = "\n".join(statement.sql for statement in statements())
    assert "non_replicated" not in texts
    engines = set(re.findall(r"^ *ENGINE = (\w+)", texts, re.MULTILINE))
    assert {engine for engine in engines if not engine.startswith("Replicated")} == {"Null", "Distributed"}


def test_the_engine_can_read_every_statement(clickhouse: Client) -> None:
    for statement in [*statements(), *(Statement("", sql) for sql in CLUSTER.databases())]:
        sql = migrator.filled_in(statement.sql)
        read = clickhouse.query("SELECT formatQuery({sql:String})", parameters={"sql": sql}).result_rows[0][0]
        again = clickhouse.query("SELECT formatQuery({sql:String})", parameters={"sql": read}).result_rows[0][0]
        assert read == again
        if not read.startswith("INSERT"):
            assert "ON CLUSTER axonize_cluster" in read.splitlines()[0]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("CREATE TABLE IF NOT EXISTS spans (n Int8)\nENGINE = Memory", "engine Memory"),
        ("CREATE TABLE IF NOT EXISTS spans (n Int8)", "0 lines that state an ENGINE"),
        ("CREATE TABLE IF NOT EXISTS novel (n Int8)\nENGINE = MergeTree\nORDER BY n", "no sharding key"),
        ("CREATE FUNCTION one AS () -> 1", "Not known how to run this on a cluster"),
        ("RENAME TABLE spans TO other", "Not known how to run this on a cluster"),
        ("CREATE VIEW novel AS SELECT 1", "Not known how to run this on a cluster"),
    ],
)
def test_what_it_does_not_know_it_refuses(sql: str, why: str) -> None:
    with pytest.raises(UnknownStatement, match=why):
        CLUSTER.statements(sql)


def test_without_a_cluster_nothing_is_rewritten(clickhouse: Client, settings: Settings) -> None:
    assert settings.CLICKHOUSE_CLUSTER == ""
    assert tables.stored("spans") == tables.of_server("spans") == "spans"
    assert tables.loaded("registry") == "registry"
    engines = clickhouse.query("SELECT DISTINCT engine FROM system.tables WHERE database = 'axonize'").result_rows
    assert not {engine for (engine,) in engines if engine == "Distributed" or engine.startswith("Replicated")}


def test_on_a_cluster_what_is_changed_in_place_is_changed_on_every_server(settings: Settings) -> None:
    settings.CLICKHOUSE_CLUSTER = "axonize_cluster"
    assert tables.stored("spans") == "`axonize_local`.spans ON CLUSTER 'axonize_cluster'"
    assert tables.of_server("spans") == "`axonize_local`.spans"
    assert tables.loaded("registry") == "ON CLUSTER 'axonize_cluster' `axonize`.registry"


CHANGES_IN_PLACE = re.compile(
    r"\b(?:DELETE FROM|ALTER TABLE|TRUNCATE TABLE|OPTIMIZE TABLE|DROP TABLE|SYSTEM RELOAD DICTIONARY)\s+(\S+)"
)
# By tables.py; or PostgreSQL's, whose statements are in Django's migrations and in registry/.
NAMED_FOR_EVERY_SERVER = re.compile(r"\{(?:stored|loaded)\(")
# A laptop's, and a command that refuses a cluster
OF_ONE_SERVER = (ROOT / "axonize" / "embedded", ROOT / "axonize" / "backup")


def test_no_code_changes_one_server_alone() -> None:
    """A statement that changes a ClickHouse table in place names it by stored(), a dictionary by loaded()."""
    found = 0
    for folder in ("analytics", "axonize", "ingest", "registry"):
        for path in (ROOT / folder).rglob("*.py"):
            if "migrations" in path.parts or path.name == "cluster.py" or path.parent in OF_ONE_SERVER:
                continue
            for match in CHANGES_IN_PLACE.finditer(path.read_text()):
                if path.name == "tables.py":
                    continue
                assert NAMED_FOR_EVERY_SERVER.match(match[1]), f"{path.relative_to(ROOT)}: {match[0]}"
                found += 1
    assert found == 10


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_cluster_is_backed_up_by_its_own_means(command: str, settings: Settings, tmp_path: Path) -> None:
    settings.CLICKHOUSE_CLUSTER = "axonize_cluster"
    with pytest.raises(CommandError, match=r"is a cluster.* Use BACKUP DATABASE … ON CLUSTER"):
        call_command(command, str(tmp_path))


@pytest.mark.parametrize("action", [(), ("--plan",), ("--check",)])
def test_a_cluster_that_the_server_does_not_know_is_one_clear_sentence(
    clickhouse: Client,  # noqa: ARG001  it must run
    settings: Settings,
    action: tuple[str, ...],
) -> None:
    settings.CLICKHOUSE_URL = settings.CLICKHOUSE_URL.replace("/axonize", "/not_there_yet")
    settings.CLICKHOUSE_CLUSTER = "no_such"
    with pytest.raises(
        CommandError, match=r"CLICKHOUSE_CLUSTER is 'no_such', and ClickHouse knows .*: correct it, or add it"
    ):
        call_command("migrate_clickhouse", *action)


def test_a_single_servers_database_is_not_made_a_clusters(clickhouse: Client, settings: Settings) -> None:  # noqa: ARG001  it must run
    settings.CLICKHOUSE_CLUSTER = "no_such"
    with pytest.raises(CommandError, match="The database axonize is a single server's: name another one"):
        call_command("migrate_clickhouse")
