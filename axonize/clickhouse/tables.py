"""How statements name what they change on every server of a cluster; queries and inserts use plain names."""

from axonize.clickhouse.client import configured_cluster


def stored(table: str) -> str:
    """Return a table as DELETE FROM and ALTER TABLE name it, for they change what is stored."""
    cluster = configured_cluster()
    return f"{cluster.table(table)} {cluster.on_cluster}" if cluster else table


def of_server(table: str) -> str:
    """Return a table as a subquery of such a statement names it: each server asks what it stores itself."""
    cluster = configured_cluster()
    return cluster.table(table) if cluster else table


def loaded(dictionary: str) -> str:
    """Return a dictionary as SYSTEM RELOAD DICTIONARY names it, for each server has loaded its own."""
    cluster = configured_cluster()
    return f"{cluster.on_cluster} `{cluster.database}`.{dictionary}" if cluster else dictionary
