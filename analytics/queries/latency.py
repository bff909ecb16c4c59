"""How long did it take? The distribution of traces' or spans' times over a range: by size, by time and by group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from analytics.buckets import BUCKET_SQL, Buckets
from analytics.histogram import EDGES_MS, EDGES_NS, HistogramBucket, histogram_of
from analytics.queries.group_series import group_series
from analytics.queries.population import Population
from analytics.series import Series, Values
from analytics.times import NS_PER_MS
from axonize.clickhouse import client as clickhouse


@dataclass(frozen=True)
class _Measure:
    """One kind of time: its column, of spans or else of traces, and how many of its unit make a millisecond."""

    column: str
    of_spans: bool = True
    per_ms: int = NS_PER_MS


_MEASURES: Final = {
    "trace": _Measure("duration_ns", of_spans=False),
    "span": _Measure("duration_ns"),
    "ttft": _Measure("ttft_ms", per_ms=1),
    "queue": _Measure("queue_ms", per_ms=1),
}
MEASURES: Final = tuple(_MEASURES)

_EMPTY: Final[Values] = {"count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None}


@dataclass(frozen=True)
class Summary:
    """Of all values, in milliseconds; percentiles are exact, on the straight line between two values. None of none."""

    count: int = 0
    avg_ms: float | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True)
class Latency:
    """The series has of each bucket `count`, `p50_ms`, `p95_ms` and `p99_ms`, of traces or spans that began in it."""

    summary: Summary
    histogram: list[HistogramBucket]
    series: Series


def latency(population: Population, *, of: str, buckets: Buckets) -> Latency:
    """Tell how the values of `of`, one of MEASURES, are distributed. Summary and histogram are of all, never grouped.

    One query, two where the population is grouped.
    Raises TooManyPoints, QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    measure = _MEASURES[of]
    rows = _ask_of_all(population, measure, buckets)
    if population.group_by is None:
        values = {
            row["bucket"]: _values(measure, row["elements"], row["percentiles"]) for row in rows if row["has_bucket"]
        }
        series = Series(buckets, [(None, values)], _EMPTY)
    else:
        series = _by_group(population, measure, buckets)
    return Latency(
        summary=_summary(measure, next((row for row in rows if row["is_total"]), None)),
        histogram=histogram_of({row["edge"] / measure.per_ms: row["elements"] for row in rows if row["has_edge"]}),
        series=series,
    )


def _ask_of_all(population: Population, measure: _Measure, buckets: Buckets) -> list[dict[str, Any]]:
    """Return a row for each bucket of the histogram, each bucket of time unless that is grouped, and everything."""
    edges = EDGES_MS if measure.per_ms == 1 else EDGES_NS
    keys = ("edge",) if population.group_by else ("edge", "bucket")
    # The same for one key, but in one go
    sets = "ROLLUP (edge)" if population.group_by else "GROUPING SETS ((edge), (bucket), ())"
    return clickhouse.query(
        f"""
        SELECT
            {", ".join(f"{key}, grouping({key}) = 0 AS has_{key}" for key in keys)},
            NOT ({" OR ".join(f"has_{key}" for key in keys)}) AS is_total,
            count() AS elements,
            avg(toFloat64(value)) AS average,
            min(value) AS lowest,
            max(value) AS highest,
            quantilesExactInclusive(0.5, 0.95, 0.99, 0.9)(value) AS percentiles
        FROM
        (
            SELECT value, roundDown(value, {list(edges)}) AS edge, {BUCKET_SQL} AS bucket
            FROM ({_rows(replace(population, group_by=None), measure)})
        )
        GROUP BY {sets}
        """,
        {**population.parameters, **buckets.parameters},
    )


def _by_group(population: Population, measure: _Measure, buckets: Buckets) -> Series:
    cells = f"""
        SELECT
            group_number,
            {BUCKET_SQL} AS bucket,
            count() AS elements,
            quantilesExactInclusive(0.5, 0.95, 0.99)(value) AS percentiles
        FROM ({_rows(population, measure)})
        GROUP BY group_number, bucket"""
    return group_series(
        population,
        buckets,
        cells=cells,
        columns=("elements", "percentiles"),
        read=lambda _bucket, count, percentiles: _values(measure, count, percentiles),
        empty=_EMPTY,
    )


def _rows(population: Population, measure: _Measure) -> str:
    if not measure.of_spans:
        return population.traces(f"start_time, {measure.column} AS value")
    if measure.per_ms != 1:
        return population.spans(f"start_time, {measure.column} AS value")
    # What nobody sent is null, which is not finite either.
    return population.spans(
        f"start_time, assumeNotNull({measure.column}) AS value", having=f"isFinite({measure.column})"
    )


def _values(measure: _Measure, count: int, percentiles: Sequence[float]) -> Values:
    p50, p95, p99 = percentiles[:3]
    per_ms = measure.per_ms
    return {"count": count, "p50_ms": p50 / per_ms, "p95_ms": p95 / per_ms, "p99_ms": p99 / per_ms}


def _summary(measure: _Measure, row: Mapping[str, Any] | None) -> Summary:
    if row is None or not row["elements"]:
        return Summary()
    p50, p95, p99, p90 = (value / measure.per_ms for value in row["percentiles"])
    return Summary(
        count=row["elements"],
        avg_ms=row["average"] / measure.per_ms,
        min_ms=row["lowest"] / measure.per_ms,
        max_ms=row["highest"] / measure.per_ms,
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
    )
