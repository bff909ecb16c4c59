"""Deletes what tenants keep for a shorter time than the tables do: whole days of them, partition by partition."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from axonize.clickhouse.client import command, query, server_now_ms
from axonize.clickhouse.retention import first_day
from axonize.clickhouse.tables import of_server, stored

_EPOCH: Final = date(1970, 1, 1)
# By what a row of a table that has a partition a day is of a day
_DAYS: Final = {
    "spans": "toDate(start_time)",
    "gpu_metrics": "toDate(time)",
    "gpu_time": "toDate(toDateTime(minute * 60))",
}
_FIRST_DAY: Final = "transform(toString(tenant), {tenants:Array(String)}, {first_days:Array(Date)}, toDate(0))"
_OF_THEM: Final = "tenant IN {tenants:Array(String)}"
# Its rows are parts of traces, and a trace is kept for as long as its last part.
_OLD_TRACES: Final = f"""
    SELECT tenant, trace_id
    FROM {{traces}} AS traces
    WHERE {_OF_THEM}
    GROUP BY tenant, trace_id
    HAVING toDate(max(traces.end_time)) < {_FIRST_DAY}"""
_WHOLE: Final = ("traces", "trace_summaries")
_SETTINGS: Final[Mapping[str, object]] = {"optimize_aggregation_in_order": 1}


@dataclass(frozen=True)
class Expired:
    """Rows of some tenants that are too old, of a table and, where it has partitions, one of them."""

    table: str
    partition_id: str
    tenants: tuple[str, ...]
    rows: int


def expired(days_by_tenant: Mapping[str, int]) -> Iterator[Expired]:
    """Yield what is older than tenants keep it, the eldest days first; a day begins at midnight UTC.

    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    bounds = _bounds(days_by_tenant)
    if not days_by_tenant:
        return
    for table, day in _DAYS.items():
        rows = query(
            f"""
            SELECT
                toString(toYYYYMMDD({day})) AS partition_id,
                arraySort(groupUniqArray(toString(tenant))) AS tenants,
                count() AS rows
            FROM {table}
            WHERE {_OF_THEM} AND {day} < {_FIRST_DAY}
            GROUP BY partition_id
            ORDER BY partition_id
            """,
            bounds,
        )
        for row in rows:
            yield Expired(table, row["partition_id"], tuple(row["tenants"]), row["rows"])
    for table in _WHOLE:
        (row,) = query(
            f"""
            SELECT arraySort(groupUniqArray(toString(tenant))) AS tenants, count() AS rows
            FROM {table}
            WHERE {_too_old(table, traces="traces")}
            """,
            bounds,
            settings=_SETTINGS,
        )
        if row["rows"]:
            yield Expired(table, "", tuple(row["tenants"]), row["rows"])


def delete(rows: Expired, days_by_tenant: Mapping[str, int]) -> None:
    """Delete such rows. Raises ClickHouseUnavailable, ClickHouseError; a repetition does no harm."""
    if rows.partition_id:
        # What is there of these tenants is all too old, for it is of one day. A number, so that it needs no quotes.
        command(
            f"DELETE FROM {stored(rows.table)} IN PARTITION ID '{int(rows.partition_id)}' WHERE {_OF_THEM}",
            {"tenants": list(rows.tenants)},
        )
    else:
        too_old = _too_old(rows.table, traces=of_server("traces"))
        command(f"DELETE FROM {stored(rows.table)} WHERE {too_old}", _bounds(days_by_tenant), settings=_SETTINGS)


def _too_old(table: str, *, traces: str) -> str:
    """Return the condition of a table's rows that go, which looks up their traces in the table of this name."""
    if table == "traces":
        return f"{_OF_THEM} AND (tenant, trace_id) IN ({_OLD_TRACES.replace('{traces}', traces)})"
    return f"{_OF_THEM} AND toDate(end_time) < {_FIRST_DAY}"


def _bounds(days_by_tenant: Mapping[str, int]) -> dict[str, object]:
    now_ms = server_now_ms()
    return {
        "tenants": list(days_by_tenant),
        "first_days": [_EPOCH + timedelta(first_day(days, now_ms=now_ms)) for days in days_by_tenant.values()],
    }
