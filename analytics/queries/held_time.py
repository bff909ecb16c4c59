"""For how long was each GPU held in a range, and by the spans of which models? What its price is shared out by.

Spans that held it at the same time have each their part (ingest.gpu_time), so the parts add up to the time in which
anybody held it. What is written is in it a few seconds later.
"""

from collections.abc import Collection
from typing import Final

from analytics.times import NS_PER_MINUTE
from axonize.clickhouse import client as clickhouse

# Of rows of gpu_time. They bind start_ns and end_ns; of a minute that the range cuts, the same part of what was held.
MINUTES_OF_RANGE: Final = f"""
    minute >= intDiv({{start_ns:Int64}}, {NS_PER_MINUTE}) AND minute <= intDiv({{end_ns:Int64}} - 1, {NS_PER_MINUTE})"""
PART_OF_MINUTE: Final = f"""
    (least((minute + 1) * {NS_PER_MINUTE}, {{end_ns:Int64}}) - greatest(minute * {NS_PER_MINUTE}, {{start_ns:Int64}}))
    / {NS_PER_MINUTE}"""

# By resource UUID, then by model, "" where a span names none: nanoseconds.
HeldTime = dict[str, dict[str, int]]


def held_time(*, tenant: str, resource_uuids: Collection[str], start_ns: int, end_ns: int) -> HeldTime:
    """Return for how long spans held these resources within [start_ns, end_ns), without those that nobody held.

    One query where any is asked for. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    if not resource_uuids or start_ns >= end_ns:
        return {}
    rows = clickhouse.query(
        f"""
        SELECT resource_uuid, model_name, toInt64(round(sum(held))) AS held_ns
        FROM
        (
            SELECT resource_uuid, facet, sum(held_ns * {PART_OF_MINUTE}) AS held
            FROM gpu_time FINAL
            WHERE tenant = {{tenant:String}}
                AND resource_uuid IN {{resource_uuids:Array(String)}}
                AND {MINUTES_OF_RANGE}
            GROUP BY resource_uuid, facet
        ) AS held_by_facet
        LEFT JOIN
        (
            SELECT facet, any(model_name) AS model_name
            FROM span_facets
            WHERE tenant = {{tenant:String}}
            GROUP BY facet
        ) AS facets USING facet
        GROUP BY resource_uuid, model_name
        HAVING held_ns > 0
        ORDER BY resource_uuid, held_ns DESC, model_name
        """,
        {"tenant": tenant, "resource_uuids": sorted(resource_uuids), "start_ns": start_ns, "end_ns": end_ns},
    )
    held: HeldTime = {}
    for row in rows:
        held.setdefault(row["resource_uuid"], {})[row["model_name"]] = row["held_ns"]
    return held
