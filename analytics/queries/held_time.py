"""For how long was each GPU held in a range, and by the spans of which models? What its price is shared out by.

Spans that held it at the same time have each their part (ingest.gpu_time), so the parts add up to the time in which
anybody held it. What is written is in it a few seconds later.
"""

from collections.abc import Collection
from typing import Any, Final

from analytics.times import NS_PER_MINUTE
from axonize.clickhouse import client as clickhouse

# Of rows of gpu_time. They bind start_ns and end_ns; of a minute that the range cuts, the same part of what was held.
MINUTES_OF_RANGE: Final = f"""
    minute >= intDiv({{start_ns:Int64}}, {NS_PER_MINUTE}) AND minute <= intDiv({{end_ns:Int64}} - 1, {NS_PER_MINUTE})"""
PART_OF_MINUTE: Final = f"""
    (least((minute + 1) * {NS_PER_MINUTE}, {{end_ns:Int64}}) - greatest(minute * {NS_PER_MINUTE}, {{start_ns:Int64}}))
    / {NS_PER_MINUTE}"""

# Grouped, and not FINAL: that would merge what all resources had in these minutes before it looks for the wanted ones.
_BY_FACET: Final = f"""
    SELECT resource_uuid, facet, sum(last_held_ns * {PART_OF_MINUTE}) AS held
    FROM
    (
        SELECT resource_uuid, facet, minute, argMax(held_ns, version) AS last_held_ns
        FROM gpu_time
        WHERE tenant = {{tenant:String}}
            AND resource_uuid IN {{resource_uuids:Array(String)}}
            AND {MINUTES_OF_RANGE}
        GROUP BY resource_uuid, facet, minute
    )
    GROUP BY resource_uuid, facet
"""


def held_time(*, tenant: str, resource_uuids: Collection[str], start_ns: int, end_ns: int) -> dict[str, int]:
    """Return for how many nanoseconds of [start_ns, end_ns) spans held each of these, without those that nobody held.

    One query where any is asked for. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    rows = _ask(
        f"SELECT resource_uuid, toInt64(round(sum(held))) AS held_ns FROM ({_BY_FACET}) GROUP BY resource_uuid",
        *(tenant, resource_uuids, start_ns, end_ns),
    )
    return {row["resource_uuid"]: row["held_ns"] for row in rows if row["held_ns"]}


def held_time_by_model(*, tenant: str, resource_uuid: str, start_ns: int, end_ns: int) -> dict[str, int]:
    """Return for how many nanoseconds of [start_ns, end_ns) spans of each model held it, of those without one by "".

    One query. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    rows = _ask(
        f"""
        SELECT model_name, toInt64(round(sum(held))) AS held_ns
        FROM ({_BY_FACET}) AS held_by_facet
        LEFT JOIN
        (
            SELECT facet, any(model_name) AS model_name
            FROM span_facets
            WHERE tenant = {{tenant:String}} AND hasAny(resource_uuids, {{resource_uuids:Array(String)}})
            GROUP BY facet
        ) AS facets USING facet
        GROUP BY model_name
        """,
        *(tenant, [resource_uuid], start_ns, end_ns),
    )
    return {row["model_name"]: row["held_ns"] for row in rows if row["held_ns"]}


def _ask(sql: str, tenant: str, resource_uuids: Collection[str], start_ns: int, end_ns: int) -> list[dict[str, Any]]:
    if not resource_uuids or start_ns >= end_ns:
        return []
    bounds = {"start_ns": start_ns, "end_ns": end_ns}
    return clickhouse.query(sql, {"tenant": tenant, "resource_uuids": sorted(resource_uuids), **bounds})
