"""The schema of a ClickHouse cluster: what each statement of schema/ becomes there. Pure; docs/decisions/0022 says why.

Two databases on every server. The one that CLICKHOUSE_URL names has what queries and writers name: Distributed tables,
the dictionary, and the doors, which are the Null tables that workers write to, with their views. Another one, with
`_local` behind its name, has the shard's own tables, replicated, and the views between them.
"""

import re
from dataclasses import dataclass
from typing import Final

# By what rows come to a shard that are written under the table's plain name. What a view of the local database writes
# stays on the shard of the trace that it is of. Where FINAL counts, a key of the table is on one shard.
SHARDING_KEYS: Final = {
    "mapped_spans": "sipHash64(trace_id)",
    "spans": "sipHash64(trace_id)",
    "traces": "sipHash64(trace_id)",
    "trace_changes": "sipHash64(trace_id)",
    "trace_summaries": "sipHash64(trace_id)",
    "deleted_traces": "sipHash64(trace_id)",
    "gpu_metrics": "sipHash64(trace_id)",
    "resources": "sipHash64(resource_id)",
    "gpu_sightings": "sipHash64(resource_uuid)",
    "gpu_time": "sipHash64(resource_uuid)",
    "gpu_time_changes": "sipHash64(resource_uuid)",
    "registry_resources": "sipHash64(resource_uuid)",
    "span_facets": "sipHash64(facet)",
    "facet_shapes": "sipHash64(facet)",
    "trace_shapes": "sipHash64(shape)",
    "operation_flows": "sipHash64(operation)",
    "summary_runs": "toUnixTimestamp64Milli(run)",
    "schema_migrations": "sipHash64(name)",
}
# Null tables that a worker writes to, on whichever server, and how the names of their views begin.
DOORS: Final = {
    "otlp_inbox": "otlp_to_",
    "trace_updates": "trace_updates_to_",
    "gpu_time_updates": "gpu_time_updates_to_",
}
# Between views of one shard; nobody else writes to it or reads it.
LOCAL_ONLY: Final = frozenset({"gpu_attributions"})

REPLICATED: Final = frozenset(
    {"MergeTree", "ReplacingMergeTree", "SummingMergeTree", "AggregatingMergeTree"},
)
# As long as the window's blocks last, as on a single server: Keeper's other bound is by time.
DEDUPLICATION_SECONDS: Final = 7 * 24 * 3600

_NAME = r"(?P<name>\w+)"
_CREATE_TABLE = re.compile(rf"CREATE (?P<how>TABLE IF NOT EXISTS|OR REPLACE TABLE) {_NAME}(?=\s*\()")
_CREATE_VIEW = re.compile(
    rf"CREATE (?P<how>(?:OR REPLACE )?MATERIALIZED VIEW(?: IF NOT EXISTS)?) {_NAME} TO (?P<to>\w+)(?= AS\s)"
)
_CREATE_DICTIONARY = re.compile(rf"CREATE (?P<how>(?:OR REPLACE )?DICTIONARY(?: IF NOT EXISTS)?) {_NAME}(?=\s*\()")
_ALTER = re.compile(rf"ALTER TABLE {_NAME}(?=\s)")
_DROP_VIEW = re.compile(rf"DROP VIEW IF EXISTS {_NAME} SYNC$")
_INSERT = re.compile(rf"INSERT INTO {_NAME}(?=\s)")
_COMMENT_LINES = re.compile(r"(?:--[^\n]*\n|\s*\n)*")
_ENGINE = re.compile(r"^ *ENGINE = (?P<engine>\w+)(?:\((?P<arguments>[^()]*)\))? *$", re.MULTILINE)
_SETTINGS = re.compile(r"^ *SETTINGS\s+", re.MULTILINE)
_WINDOW = re.compile(r"non_replicated_deduplication_window = (\d+)")


class UnknownStatement(Exception):
    """A statement of the schema that nothing here knows how to bring to a cluster."""


@dataclass(frozen=True)
class Statement:
    """One statement, and the database in which the names in it that name none are."""

    database: str
    sql: str


@dataclass(frozen=True)
class Cluster:
    """A cluster as the servers' configuration names it, and the database of ours that queries use there."""

    name: str
    database: str

    @property
    def local_database(self) -> str:
        return f"{self.database}_local"

    @property
    def both(self) -> tuple[str, str]:
        return self.database, self.local_database

    @property
    def on_cluster(self) -> str:
        return f"ON CLUSTER '{self.name}'"

    def databases(self) -> list[str]:
        """Return the statements that make both databases."""
        return [f"CREATE DATABASE IF NOT EXISTS `{name}` {self.on_cluster}" for name in self.both]

    def statements(self, sql: str) -> list[Statement]:
        """Return what one statement of the schema becomes, in order; each can be repeated, as it can.

        Raises UnknownStatement.
        """
        comment = _COMMENT_LINES.match(sql)
        comment_text = comment.group() if comment else ""
        body = sql[len(comment_text) :].strip()
        for pattern, rewrite in (
            (_CREATE_TABLE, self._table),
            (_CREATE_VIEW, self._view),
            (_CREATE_DICTIONARY, self._dictionary),
            (_ALTER, self._alter),
            (_DROP_VIEW, self._drop_view),
            (_INSERT, self._insert),
        ):
            if match := pattern.match(body):
                first, *rest = rewrite(match, body)
                return [Statement(first.database, comment_text + first.sql), *rest]
        raise UnknownStatement(
            f"Not known how to run this on a cluster, teach axonize/clickhouse/cluster.py: {body[:80]!r}"
        )

    def table(self, name: str) -> str:
        """Return the name of the table itself, as a statement has it that goes to every server."""
        database = self.database if name in DOORS else self.local_database
        return f"`{database}`.{name}"

    def _table(self, match: re.Match[str], body: str) -> list[Statement]:
        name = match["name"]
        head = f"CREATE TABLE IF NOT EXISTS {self.table(name)} {self.on_cluster}"
        create = Statement(self._database_of(name), head + self._replicated(name, body[match.end() :]))
        if match["how"].startswith("OR REPLACE"):
            # A table that is replaced is made under a name of each server's own, and so would be its path in Keeper.
            drop = f"DROP TABLE IF EXISTS {self.table(name)} {self.on_cluster} SYNC"
            return [Statement(self._database_of(name), drop), create, *self._distributed(name)]
        return [create, *self._distributed(name)]

    def _replicated(self, name: str, rest: str) -> str:
        """Return all of a CREATE TABLE that follows its name, with a replicated engine and what that remembers."""
        engines = list(_ENGINE.finditer(rest))
        if len(engines) != 1:
            raise UnknownStatement(
                f"The table {name} has {len(engines)} lines that state an ENGINE; there must be one."
            )
        [found] = engines
        engine, arguments = found["engine"], found["arguments"]
        if engine == "Null":
            return rest
        if engine not in REPLICATED:
            raise UnknownStatement(f"The table {name} has the engine {engine}, of which no replicated form is known.")
        path = f"/clickhouse/tables/{self.local_database}/{name}/{{shard}}"
        parameters = ", ".join([f"'{path}'", "'{replica}'", *([arguments] if arguments else [])])
        replicated = f"{rest[: found.start()]}ENGINE = Replicated{engine}({parameters}){rest[found.end() :]}"
        if _WINDOW.search(replicated):
            return _remembered(replicated)
        # Replicated tables remember blocks unless told not to; these are written to again on purpose.
        none = "replicated_deduplication_window = 0"
        if settings := _SETTINGS.search(replicated):
            return f"{replicated[: settings.end()]}{none}, {replicated[settings.end() :]}"
        return f"{replicated}\nSETTINGS {none}"

    def _distributed(self, name: str) -> list[Statement]:
        """Return what makes the table under its plain name, over all shards, with the columns it has by now."""
        if name in DOORS or name in LOCAL_ONLY:
            return []
        if name not in SHARDING_KEYS:
            raise UnknownStatement(f"The table {name} has no sharding key: state one in axonize/clickhouse/cluster.py.")
        sql = (
            f"CREATE OR REPLACE TABLE `{self.database}`.{name} {self.on_cluster} AS {self.table(name)}\n"
            f"ENGINE = Distributed('{self.name}', '{self.local_database}', '{name}', {SHARDING_KEYS[name]})"
        )
        return [Statement(self.database, sql)]

    def _view(self, match: re.Match[str], body: str) -> list[Statement]:
        database = self._database_of_view(match["name"])
        head = f"CREATE {match['how']} `{database}`.{match['name']} {self.on_cluster} TO `{database}`.{match['to']}"
        return [Statement(database, head + body[match.end() :])]

    def _drop_view(self, match: re.Match[str], _body: str) -> list[Statement]:
        database = self._database_of_view(match["name"])
        return [Statement(database, f"DROP VIEW IF EXISTS `{database}`.{match['name']} {self.on_cluster} SYNC")]

    def _dictionary(self, match: re.Match[str], body: str) -> list[Statement]:
        head = f"CREATE {match['how']} `{self.database}`.{match['name']} {self.on_cluster}"
        return [Statement(self.database, head + body[match.end() :])]

    def _alter(self, match: re.Match[str], body: str) -> list[Statement]:
        name = match["name"]
        rest = _remembered(body[match.end() :])
        alter = Statement(self._database_of(name), f"ALTER TABLE {self.table(name)} {self.on_cluster}{rest}")
        return [alter, *(self._distributed(name) if re.search(r"\bCOLUMN\b", rest) else [])]

    def _insert(self, _match: re.Match[str], body: str) -> list[Statement]:
        # Reads all shards and writes to the shard of each row, by the plain names; it runs once, on one server.
        return [Statement(self.database, body)]

    def _database_of(self, table: str) -> str:
        return self.database if table in DOORS else self.local_database

    def _database_of_view(self, view: str) -> str:
        return self.database if view.startswith(tuple(DOORS.values())) else self.local_database


def _remembered(sql: str) -> str:
    """Return a statement whose window of deduplication is a replicated table's."""
    return _WINDOW.sub(
        rf"replicated_deduplication_window = \1, replicated_deduplication_window_seconds = {DEDUPLICATION_SECONDS}", sql
    )
