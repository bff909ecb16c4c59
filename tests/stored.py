"""What ClickHouse has, for tests."""

from clickhouse_connect.driver import Client


def names(clickhouse: Client) -> list[str]:
    """Return the names of the spans that are stored, each as often as it is."""
    return [name for (name,) in clickhouse.query("SELECT name FROM spans ORDER BY name").result_rows]
