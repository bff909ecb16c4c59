"""Is the server what CLICKHOUSE_CLUSTER says? Asked before anything is changed there; a no is one sentence."""

from typing import Any, Final

from clickhouse_connect.driver import Client

from axonize.clickhouse.cluster import Cluster
from axonize.clickhouse.errors import classify

MACROS: Final = frozenset({"shard", "replica"})


class ClusterMisconfigured(Exception):
    """CLICKHOUSE_CLUSTER and the servers do not fit one another; the text says what to do."""


def check_servers(client: Client, cluster: Cluster | None, *, database: str) -> None:
    """Hold a server against the setting: its configuration, and what is in the database already.

    Raises ClusterMisconfigured, ClickHouseUnavailable, ClickHouseError.
    """
    engines = _engines(client, database)
    if cluster is None:
        if "Distributed" in engines:
            raise ClusterMisconfigured(
                f"The database {database} is a cluster's: set CLICKHOUSE_CLUSTER to the name that it was migrated with."
            )
        return
    if any(engine.endswith("MergeTree") for engine in engines):
        raise ClusterMisconfigured(
            f"The database {database} is a single server's: name another one in CLICKHOUSE_URL, migrate that, and "
            "bring the data over as docs/scaling.md says."
        )
    _check_configuration(client, cluster)


def _engines(client: Client, database: str) -> set[str]:
    sql = "SELECT DISTINCT engine FROM system.tables WHERE database = {database:String}"
    return {engine for (engine,) in _rows(client, sql, database=database)}


def _check_configuration(client: Client, cluster: Cluster) -> None:
    clusters = dict[str, int](
        _rows(client, "SELECT cluster, min(internal_replication) FROM system.clusters GROUP BY cluster")
    )
    if cluster.name not in clusters:
        raise ClusterMisconfigured(
            f"CLICKHOUSE_CLUSTER is '{cluster.name}', and ClickHouse knows "
            f"{', '.join(sorted(clusters)) or 'no cluster'}: correct it, or add it to remote_servers in the "
            "configuration of every server."
        )
    if not clusters[cluster.name]:
        raise ClusterMisconfigured(
            f"Each shard of the cluster '{cluster.name}' needs <internal_replication>true</internal_replication> in "
            "the configuration of every server: without it what is written is there once more for each replica."
        )
    missing = MACROS - {macro for (macro,) in _rows(client, "SELECT macro FROM system.macros")}
    if missing:
        raise ClusterMisconfigured(
            f"The server's configuration lacks these macros: {', '.join(sorted(missing))}. "
            "Each server needs the shard and the replica that it is."
        )


def _rows(client: Client, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
    try:
        return [tuple(row) for row in client.query(sql, parameters=parameters).result_rows]
    except Exception as error:
        raise classify(error, reading=False) from error
