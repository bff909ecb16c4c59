"""What does the time cost in which GPUs were held, at the registry's price of now? By model or by service.

Spans that say what they cost are not in it: they cost what they say. Spans that held a resource at the same time have
each their part of it (ingest.gpu_time). What is written is in it a few seconds later.
"""

from decimal import Decimal

from analytics.queries.held_time import MINUTES_OF_RANGE, PART_OF_MINUTE
from analytics.queries.population import Population
from analytics.queries.prices import cost_of
from axonize.clickhouse import client as clickhouse


def gpu_costs(population: Population, column: str) -> dict[str, Decimal]:
    """Return by `column`, one of span_facets, what its spans' GPU time in the range costs.

    A minute of which the range has a part counts with that part; what has no price is left out. One query.
    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    rows = clickhouse.query(
        f"""
        SELECT name, toDecimal128(assumeNotNull(sum({cost_of("resource_uuid", "held")})), 12) AS cost
        FROM
        (
            SELECT
                facet,
                resource_uuid,
                sum(held_ns) AS held_at_all,
                sum(held_without_cost_ns * {PART_OF_MINUTE}) AS held
            FROM gpu_time FINAL
            WHERE tenant = {{tenant:String}} AND {MINUTES_OF_RANGE}
            GROUP BY facet, resource_uuid
        ) AS held_by_facet
        INNER JOIN ({population.named_facets(column)}) AS facets USING facet
        GROUP BY name
        HAVING countIf({cost_of("resource_uuid", "held")} IS NOT NULL AND held_at_all > 0) > 0
        """,
        population.parameters,
    )
    return {row["name"]: row["cost"] for row in rows}
