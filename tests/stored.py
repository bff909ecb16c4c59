"""What the stores have, for tests."""

import redis
from clickhouse_connect.driver import Client


def names(clickhouse: Client) -> list[str]:
    """Return the names of the spans that are stored, each as often as it is."""
    return [name for (name,) in clickhouse.query("SELECT name FROM spans ORDER BY name").result_rows]


def queued(client: redis.Redis) -> list[bytes]:
    """Return the keys of the queue; the figures that processes report are no part of it."""
    return [key for key in client.scan_iter("axonize:*") if not key.startswith(b"axonize:metrics:")]
