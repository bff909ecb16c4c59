"""PostgreSQL's connections of this process."""

from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper


def close_connections() -> None:
    """Close this thread's connection and the pool behind it; the next query opens both again."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if isinstance(connection, DatabaseWrapper):
            connection.close_pool()
