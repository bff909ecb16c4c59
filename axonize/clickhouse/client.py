"""The one door to ClickHouse: a pooled HTTP client, and reads and writes whose errors are already classified."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.httputil import get_pool_manager
from django.conf import settings
from urllib3 import PoolManager

from axonize.clickhouse.cluster import Cluster
from axonize.clickhouse.errors import classify
from axonize.metrics.reads import Read, asker

CONNECT_TIMEOUT_SECONDS = 5
WRITE_TIMEOUT_SECONDS = 50
# Of what nobody waits for: questions go first where CPUs are short. It needs CAP_SYS_NICE and is nothing without.
BACKGROUND_SETTINGS: Final[dict[str, object]] = {"os_threads_nice_value_query": 10}
# Of everything that is asked of a cluster
CLUSTER_SETTINGS: Final[dict[str, object]] = {
    # An IN or a JOIN of two distributed tables is asked once, of all shards, and the answer sent to each.
    "distributed_product_mode": "global",
    # An insert is done when each shard has its part: a batch leaves the queue then.
    "distributed_foreground_insert": 1,
    # Who reads sees what was written before: both go to the first replica of a shard that is there.
    "load_balancing": "in_order",
    "prefer_localhost_replica": 0,
}


def connect(*, database: str, timeout_seconds: int | None = None) -> Client:
    """Open a client of the server that CLICKHOUSE_URL names, which waits so long for an answer, else as for a write.

    All clients of a process share one pool, which holds as many connections as it has users at once, and makes a
    further one wait. Raises ClickHouseUnavailable.
    """
    url = urlsplit(settings.CLICKHOUSE_URL)
    user, password = credentials()
    try:
        return clickhouse_connect.get_client(
            interface=url.scheme,
            host=url.hostname or "127.0.0.1",
            port=url.port or (8443 if url.scheme == "https" else 8123),
            username=user,
            password=password,
            database=database,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            send_receive_timeout=timeout_seconds or WRITE_TIMEOUT_SECONDS,
            compress="zstd",
            query_retries=0,
            autogenerate_session_id=False,
            settings=CLUSTER_SETTINGS if settings.CLICKHOUSE_CLUSTER else {},
            pool_mgr=_pool(settings.CLICKHOUSE_POOL_SIZE),
        )
    except Exception as error:
        raise classify(error, reading=False) from error


@lru_cache(maxsize=1)
def _pool(size: int) -> PoolManager:
    # One for good: the driver keeps each that it makes, and its connections, also of a client that was closed.
    pool: PoolManager = get_pool_manager(maxsize=size, num_pools=1, block=True)
    return pool


def credentials() -> tuple[str, str]:
    """Return the user and the password that CLICKHOUSE_URL names, ClickHouse's defaults where it names none."""
    url = urlsplit(settings.CLICKHOUSE_URL)
    return unquote(url.username or "") or "default", unquote(url.password or "")


def database_name() -> str:
    """Return the database that CLICKHOUSE_URL names, `axonize` where it names none."""
    return urlsplit(settings.CLICKHOUSE_URL).path.strip("/") or "axonize"


def database_names() -> list[str]:
    """Return the databases that hold what is ours on a server: one, and on a cluster that of the server's shard too."""
    cluster = configured_cluster()
    return list(cluster.both) if cluster else [database_name()]


def configured_cluster() -> Cluster | None:
    """Return the cluster that CLICKHOUSE_CLUSTER names, None where ClickHouse is a single server."""
    name = settings.CLICKHOUSE_CLUSTER
    return Cluster(name=name, database=database_name()) if name else None


@lru_cache(maxsize=1)
def get_client() -> Client:
    """Return this process's client. Raises ClickHouseUnavailable, and tries anew at the next call."""
    return connect(database=database_name())


def query(
    sql: str,
    parameters: Mapping[str, object] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
) -> list[dict[str, Any]]:
    """Run one bounded read and return its rows, each a dict by column name.

    Values are bound on the server, `{name:Type}`. Times must leave as integers (toUnixTimestamp64Nano), for Python's
    datetime has no nanoseconds, and strings that hold no text as hex.
    Raises QueryTooLarge over a bound of time, memory or rows, ClickHouseUnavailable, ClickHouseError.
    """
    with Read(asker()):
        try:
            result = get_client().query(
                sql,
                parameters=bound(sql, parameters),
                settings={**read_settings(), **(settings or {})},
            )
        except Exception as error:
            raise classify(error, reading=True) from error
    return list(result.named_results())


def server_now_ms() -> int:
    """Return milliseconds since 1970 by ClickHouse's clock. Raises ClickHouseUnavailable, ClickHouseError."""
    (row,) = query("SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms")
    now_ms: int = row["now_ms"]
    return now_ms


def command(
    sql: str, parameters: Mapping[str, object] | None = None, *, settings: Mapping[str, object] | None = None
) -> None:
    """Run one statement that answers no rows. Raises ClickHouseUnavailable, ClickHouseError."""
    try:
        get_client().command(sql, parameters=dict(parameters or {}), settings=dict(settings or {}))
    except Exception as error:
        raise classify(error, reading=False) from error


def insert_rows(table: str, rows: list[list[Any]], column_names: list[str]) -> None:
    """Insert a few Python rows. Raises ClickHouseUnavailable, ClickHouseError."""
    try:
        get_client().insert(table, rows, column_names=column_names)
    except Exception as error:
        raise classify(error, reading=False) from error


def bound(sql: str, parameters: Mapping[str, object] | None) -> dict[str, object]:
    """Return what a read binds: its own values, and `registry` where it names that, the registry's dictionary.

    With its database, for on a cluster parts of a read are done where none is chosen. A read that names nothing binds
    nothing: clickhouse-connect would format it by Python's `%`.
    """
    own = dict(parameters or {})
    return {"registry": f"{database_name()}.registry", **own} if "{registry:" in sql else own


def read_settings() -> dict[str, object]:
    """Return the bounds of every read: time in seconds, memory in bytes, and rows of the answer."""
    return {
        "max_execution_time": settings.QUERY_MAX_SECONDS,
        "max_memory_usage": settings.QUERY_MAX_BYTES,
        "max_result_rows": settings.QUERY_MAX_RESULT_ROWS,
        "result_overflow_mode": "throw",
    }
