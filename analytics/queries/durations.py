"""How long did the matching traces take? All of them by size, and how many of each size have the duration asked for."""

from dataclasses import dataclass, replace
from typing import Final

from analytics.histogram import EDGES_NS, histogram_of
from analytics.queries.filters import TimedFilter, own_conditions, trace_conditions
from analytics.queries.summary_rows import live_traces
from analytics.times import NS_PER_MS
from axonize.clickhouse import client as clickhouse

_EDGES: Final = list(EDGES_NS)


@dataclass(frozen=True)
class DurationBucket:
    """How many traces took [from_ms, to_ms), and how many of these the durations asked for choose."""

    from_ms: float
    to_ms: float
    count: int
    chosen: int


def durations(*, tenant: str, wanted: TimedFilter) -> list[DurationBucket]:
    """Return the histogram of the traces that match but for their durations, without gaps; [] where there are none.

    One query, one more where there are attributes. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    matching = trace_conditions(replace(wanted, min_duration_ns=None, max_duration_ns=None), tenant=tenant)
    asked = own_conditions(TimedFilter(min_duration_ns=wanted.min_duration_ns, max_duration_ns=wanted.max_duration_ns))
    rows = clickhouse.query(
        f"""
        SELECT
            roundDown(duration_ns, {_EDGES}) AS edge,
            count() AS traces,
            countIf({" AND ".join(asked.sql) or "true"}) AS chosen
        FROM ({live_traces("duration_ns", matching)})
        GROUP BY edge
        """,
        {**matching.parameters, **asked.parameters, "tenant": tenant},
    )
    chosen = {row["edge"] / NS_PER_MS: row["chosen"] for row in rows}
    buckets = histogram_of({row["edge"] / NS_PER_MS: row["traces"] for row in rows})
    return [DurationBucket(each.from_ms, each.to_ms, each.count, chosen.get(each.from_ms, 0)) for each in buckets]
