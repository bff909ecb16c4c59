"""What is in each bucket of the groups that are shown: a query's cells as a series."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from analytics.buckets import Buckets
from analytics.queries.population import Population
from analytics.series import MAX_POINTS, Series, Values, most_groups
from axonize.clickhouse import client as clickhouse

MOST_GROUPS: Final = 50


def group_series(
    population: Population,
    buckets: Buckets,
    *,
    cells: str,
    columns: Sequence[str],
    read: Callable[..., Values],
    empty: Values,
) -> Series:
    """Return the series of the MOST_GROUPS groups with the most of the first column, of equal ones by name.

    `cells` is the SELECT of a group_number, a bucket and the columns; `read` makes a bucket's values of its number and
    the columns. One query. Raises TooManyPoints, QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    # A row for each group is read far faster than one for each cell. More cells than this are too many points anyway.
    arrays = (f"groupArray({MAX_POINTS})({column}) AS {column}_array" for column in ("bucket", *columns))
    rows = clickhouse.query(
        f"""
        WITH {population.group_names} AS group_names
        SELECT group_names[group_number] AS group_name, {", ".join(arrays)}
        FROM ({cells})
        GROUP BY group_number
        ORDER BY sum({columns[0]}) DESC, group_number
        LIMIT {{groups:UInt64}}
        """,
        {**population.parameters, **buckets.parameters, "groups": most_groups(buckets, at_most=MOST_GROUPS)},
    )

    def values_of(row: dict[str, Any]) -> dict[int, Values]:
        by_column = (row[f"{column}_array"] for column in columns)
        return {number: read(number, *values) for number, *values in zip(row["bucket_array"], *by_column, strict=True)}

    grouped = population.group_by is not None
    groups = [(row["group_name"] if grouped else None, values_of(row)) for row in rows]
    return Series(buckets, groups if grouped else groups or [(None, {})], empty)
