"""Whether the process lives, and whether what it stands on answers."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.decorators import api_view, authentication_classes, permission_classes, throttle_classes
from rest_framework.request import Request
from rest_framework.response import Response

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

# A check that hangs holds one thread and no more: whoever asks meanwhile waits for the same one.
_running: dict[str, Future[str]] = {}
_lock = threading.Lock()


def run_checks() -> dict[str, str]:
    """Return each check's verdict: `ok`, `pending`, or `unavailable` where it failed or took too long."""
    futures = {name: _start(name, check) for name, check in CHECKS.items()}
    return {name: _verdict(name, future) for name, future in futures.items()}


def _start(name: str, check: Callable[[], str]) -> Future[str]:
    with _lock:
        future = _running.get(name)
        if future is None or future.done():
            future = _running[name] = Future()
            threading.Thread(target=_run, args=(check, future), name=f"check-{name}", daemon=True).start()
        return future


def _run(check: Callable[[], str], future: Future[str]) -> None:
    try:
        verdict = check()
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its verdict, handed over to the asker
        future.set_exception(error)
    else:
        future.set_result(verdict)
    finally:
        connection.close()


def _verdict(name: str, future: Future[str]) -> str:
    try:
        return future.result(timeout=CHECK_TIMEOUT_SECONDS)
    except TimeoutError:
        logger.warning("not ready: %s gave no answer within %s s", name, CHECK_TIMEOUT_SECONDS)
    except Exception as error:  # noqa: BLE001 - the same, and only its kind and log may say more
        logger.warning("not ready: %s: %s", name, told(error))
    return UNAVAILABLE


@extend_schema(
    operation_id="healthz",
    tags=["health"],
    responses=inline_serializer("Health", {"status": serializers.ChoiceField([OK])}),
    examples=[OpenApiExample("It lives", value={"status": OK}, response_only=True)],
)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
@throttle_classes([])
def healthz(_request: Request, /) -> Response:
    """Say that the process lives. Asks no engine."""
    return Response({"status": OK})


_READINESS = inline_serializer(
    "Readiness",
    {
        "status": serializers.ChoiceField(["ready", UNAVAILABLE]),
        "checks": inline_serializer(
            "ReadinessChecks", {name: serializers.ChoiceField([OK, PENDING, UNAVAILABLE]) for name in CHECKS}
        ),
    },
)


@extend_schema(
    operation_id="readyz",
    tags=["health"],
    responses={200: _READINESS, 503: _READINESS},
    examples=[
        OpenApiExample(
            "All is well",
            value={"status": "ready", "checks": dict.fromkeys(CHECKS, OK)},
            response_only=True,
            status_codes=[200],
        ),
        OpenApiExample(
            "ClickHouse is away",
            value={"status": UNAVAILABLE, "checks": dict.fromkeys(CHECKS, OK) | {"clickhouse": UNAVAILABLE}},
            response_only=True,
            status_codes=[503],
        ),
    ],
)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
@throttle_classes([])
def readyz(_request: Request, /) -> Response:
    """Say whether ClickHouse, PostgreSQL and Redis answer and both schemas are current; 503 and what is away if not."""
    checks: dict[str, Any] = run_checks()
    if all(verdict == OK for verdict in checks.values()):
        return Response({"status": "ready", "checks": checks})
    return Response({"status": UNAVAILABLE, "checks": checks}, status=status.HTTP_503_SERVICE_UNAVAILABLE)
