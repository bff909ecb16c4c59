"""Whether what a process stands on answers: ClickHouse, PostgreSQL, Redis, and the schemas in them."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Final

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from axonize.clickhouse import client as clickhouse, migrator
from axonize.error_text import told

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_SECONDS: Final = 2.0
OK: Final = "ok"
UNAVAILABLE: Final = "unavailable"
PENDING: Final = "pending"


def check_clickhouse() -> str:
    clickhouse.query("SELECT 1")
    return OK


def check_postgres() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return OK


def check_redis() -> str:
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=CHECK_TIMEOUT_SECONDS, socket_connect_timeout=CHECK_TIMEOUT_SECONDS
    ) as server:
        server.ping()
    return OK


def check_migrations() -> str:
    """Return `pending` where either database is behind this version's schema."""
    executor = MigrationExecutor(connection)
    behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return PENDING if behind or migrator.pending() else OK


CHECKS: Final[dict[str, Callable[[], str]]] = {
    "clickhouse": check_clickhouse,
    "postgres": check_postgres,
    "redis": check_redis,
    "migrations": check_migrations,
}

SENTENCES: Final = {
    ("clickhouse", UNAVAILABLE): "ClickHouse does not answer.",
    ("postgres", UNAVAILABLE): "PostgreSQL does not answer.",
    ("redis", UNAVAILABLE): "Redis does not answer.",
    ("migrations", UNAVAILABLE): "Nobody can tell whether migrations are pending.",
    ("migrations", PENDING): "Migrations are pending: run `manage.py migrate` and `manage.py migrate_clickhouse`.",
}

# A check that hangs holds one thread and no more: whoever asks meanwhile waits for the same one.
_running: dict[str, Future[str]] = {}
_lock = threading.Lock()


def run_checks(names: Collection[str] = tuple(CHECKS)) -> dict[str, str]:
    """Return each check's verdict: `ok`, `pending`, or `unavailable` where it failed or took too long.

    All of them together take no longer than CHECK_TIMEOUT_SECONDS.
    """
    deadline_s = time.monotonic() + CHECK_TIMEOUT_SECONDS
    futures = {name: _start(name) for name in names}
    return {name: _verdict(name, future, deadline_s) for name, future in futures.items()}


def first_fault(verdicts: dict[str, str]) -> str:
    """Return a sentence of what is wrong; '' where nothing is."""
    faults = [SENTENCES[name, verdict] for name, verdict in verdicts.items() if verdict != OK]
    return faults[0] if faults else ""


def _start(name: str) -> Future[str]:
    with _lock:
        future = _running.get(name)
        if future is None or future.done():
            future = _running[name] = Future()
            threading.Thread(target=_run, args=(name, future), name=f"check-{name}", daemon=True).start()
        return future


def _run(name: str, future: Future[str]) -> None:
    try:
        verdict = CHECKS[name]()
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its verdict, handed over to the asker
        future.set_exception(error)
    else:
        future.set_result(verdict)
    finally:
        connection.close()


def _verdict(name: str, future: Future[str], deadline_s: float) -> str:
    try:
        return future.result(timeout=max(0.0, deadline_s - time.monotonic()))
    except TimeoutError:
        logger.warning("not ready: %s gave no answer within %s s", name, CHECK_TIMEOUT_SECONDS)
    except Exception as error:  # noqa: BLE001 - the same, and only its kind and log may say more
        logger.warning("not ready: %s: %s", name, told(error))
    return UNAVAILABLE
