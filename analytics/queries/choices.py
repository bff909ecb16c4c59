"""Which services, environments, models and names of spans are there? What a filter offers to choose from."""

from dataclasses import dataclass
from typing import Final

from axonize.clickhouse import client as clickhouse

MOST_OF_EACH: Final = 500
_COLUMNS: Final = ("service_name", "environment", "model_name", "name")


@dataclass(frozen=True)
class Choices:
    """The values of each, by name, at most MOST_OF_EACH."""

    service_name: list[str]
    environment: list[str]
    model_name: list[str]
    name: list[str]


def choices(*, tenant: str) -> Choices:
    """Return what the spans of a tenant have. One query. Raises ClickHouseUnavailable, ClickHouseError."""
    lists = ", ".join(
        f"arraySort(groupUniqArrayIf({MOST_OF_EACH})({name}, {name} != '')) AS {name}s" for name in _COLUMNS
    )
    (row,) = clickhouse.query(f"SELECT {lists} FROM span_facets WHERE tenant = {{tenant:String}}", {"tenant": tenant})
    return Choices(*(row[f"{name}s"] for name in _COLUMNS))
