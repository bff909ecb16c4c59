"""How much ran when? Traces, spans, failures and tokens of a range, by buckets of time and by group."""

from typing import Final

from analytics.buckets import BUCKET_SQL, Buckets
from analytics.queries.group_series import group_series
from analytics.queries.population import Population
from analytics.series import Series, Values

_COUNTS: Final = ("spans", "traces", "errors", "tokens_input", "tokens_output")
_EMPTY: Final[Values] = {**dict.fromkeys(_COUNTS, 0), "tokens_per_second": 0.0}


def throughput(population: Population, *, buckets: Buckets) -> Series:
    """Count in each bucket the `traces`, `spans`, failed spans (`errors`) and `tokens_…` of spans that began in it.

    `tokens_per_second` are output tokens over the part of the bucket within the range. The groups with the most spans
    are shown. One query. Raises TooManyPoints, QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    cells = f"""
        SELECT
            group_number, bucket,
            sum(counted.spans) AS spans,
            sum(counted.traces) AS traces,
            sum(counted.errors) AS errors,
            sum(counted.tokens_input) AS tokens_input,
            sum(counted.tokens_output) AS tokens_output
        FROM
        (
            SELECT
                group_number, {BUCKET_SQL} AS bucket,
                count() AS spans,
                0 AS traces,
                countIf(status = 'error') AS errors,
                ifNull(sum(rows.tokens_input), 0) AS tokens_input,
                ifNull(sum(rows.tokens_output), 0) AS tokens_output
            FROM ({population.spans("start_time, status, tokens_input, tokens_output")}) AS rows
            GROUP BY group_number, bucket
            UNION ALL
            SELECT group_number, {BUCKET_SQL} AS bucket, 0, count(), 0, 0, 0
            FROM ({population.traces("start_time")})
            GROUP BY group_number, bucket
        ) AS counted
        GROUP BY group_number, bucket"""

    def values(number: int, *counts: int) -> Values:
        counted = dict(zip(_COUNTS, counts, strict=True))
        return {**counted, "tokens_per_second": counted["tokens_output"] / buckets.seconds_within(number)}

    return group_series(population, buckets, cells=cells, columns=_COUNTS, read=values, empty=_EMPTY)
