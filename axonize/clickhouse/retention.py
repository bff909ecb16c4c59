"""How long each table keeps its rows: the settings' word, held against what the tables say and brought into them.

Every table drops by itself what is older than its TTL. A row is kept for the whole of its days, so the TTL is a day
longer than the setting, and what lookups need is kept for as long as a row that came late may point to it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from axonize.clickhouse.client import command, configured_cluster, database_name, query, server_now_ms
from axonize.clickhouse.tables import stored

# A span may be so late: ingest.deduplication reckons with the partitions that a batch of them touches.
MOST_DAYS_LATE: Final = 30
# What the schema gives to lookups, for 30 days; it is never less.
_LOOKUPS_LEAST_DAYS: Final = 62
_OF_SPANS: Final = ("spans", "traces", "trace_summaries")
_LOOKUPS_OF_SPANS: Final = ("resources", "trace_shapes", "facet_shapes", "operation_flows")
# ENGINE … TTL toDate(time) + toIntervalDay(31), … SETTINGS …: the days of the first expression are ours
_TTL: Final = re.compile(
    r" TTL (?P<clause>(?P<since>.+?) \+ toIntervalDay\((?P<days>\d+)\).*?)(?: SETTINGS |$)", re.DOTALL
)
# Else a part would be written anew to learn when it ends, and one that was to be kept longer would still go as it was
_RECALCULATE: Final = "materialize_ttl_recalculate_only = 1"
MS_PER_DAY: Final = 86_400_000


@dataclass(frozen=True)
class Change:
    """A table whose TTL is not what the settings say, in days, and how many of its rows would go."""

    table: str
    days_now: int
    days: int
    rows: int


def days_by_table() -> dict[str, int]:
    """Return the days of each table's TTL as the settings have them."""
    spans, gpu_time = settings.RETENTION_DAYS, settings.GPU_TIME_RETENTION_DAYS
    of_facets = max(spans, gpu_time)
    return {
        **dict.fromkeys(_OF_SPANS, spans + 1),
        "gpu_metrics": settings.GPU_METRICS_RETENTION_DAYS + 1,
        "gpu_time": gpu_time + 1,
        **dict.fromkeys(_LOOKUPS_OF_SPANS, max(_LOOKUPS_LEAST_DAYS, spans + MOST_DAYS_LATE + 2)),
        "span_facets": max(_LOOKUPS_LEAST_DAYS, of_facets + MOST_DAYS_LATE + 2),
    }


def changes() -> list[Change]:
    """Return the tables that don't keep their rows as the settings say.

    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    found = []
    for table, (ttl, _) in _tables().items():
        days, days_now = days_by_table()[table], int(ttl["days"])
        if days == days_now:
            continue
        (gone,) = query(
            f"SELECT count() AS rows FROM {table} WHERE {ttl['since']} + toIntervalDay({{days:UInt16}}) <= now('UTC')",
            {"days": days},
        )
        found.append(Change(table, days_now, days, gone["rows"]))
    return found


def change(changes: Sequence[Change]) -> None:
    """Have tables keep their rows as the settings say; what is too old goes in the background.

    Raises ClickHouseUnavailable, ClickHouseError; a repetition does no harm.
    """
    tables = _tables()
    for each in changes:
        ttl, engine = tables[each.table]
        if _RECALCULATE not in engine:
            command(f"ALTER TABLE {stored(each.table)} MODIFY SETTING {_RECALCULATE}")
        at = ttl.start("days") - ttl.start("clause")
        clause = ttl["clause"]
        clause = f"{clause[:at]}{each.days}{clause[at + len(ttl['days']) :]}"
        command(
            f"ALTER TABLE {stored(each.table)} MODIFY TTL {clause}",
            settings={"mutations_sync": 0, "alter_sync": 0, "materialize_ttl_after_modify": 1},
        )


def first_day(days: int, *, now_ms: int) -> int:
    """Return the first day, in days since 1970, of which rows are kept that are kept so many days."""
    return now_ms // MS_PER_DAY - days


def first_minute_of_gpu_metrics() -> int:
    """Return the first minute since 1970 of which all snapshots are still there.

    Raises ClickHouseUnavailable, ClickHouseError.
    """
    return first_day(settings.GPU_METRICS_RETENTION_DAYS, now_ms=server_now_ms()) * 24 * 60


def _tables() -> Mapping[str, tuple[re.Match[str], str]]:
    """Return of each table its TTL and its engine, as this server stores it."""
    cluster = configured_cluster()
    rows = query(
        """
        SELECT name, engine_full FROM system.tables
        WHERE database = {database:String} AND name IN {names:Array(String)}
        ORDER BY name
        """,
        {"database": cluster.local_database if cluster else database_name(), "names": list(days_by_table())},
    )
    return {row["name"]: (ttl, row["engine_full"]) for row in rows if (ttl := _TTL.search(row["engine_full"]))}
