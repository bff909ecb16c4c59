"""The whole of Axonize on one machine: its parts, their ports and addresses, and the order in which they go."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from axonize import tls
from axonize.embedded import engines
from axonize.embedded.part import Part
from axonize.embedded.ports import Port, host_to_reach
from axonize.environment import given
from axonize.health import command

# Each embedded server, and the variable that names another one in its place
VARIABLE_OF_ENGINE = {"redis": "REDIS_URL", "postgres": "DATABASE_URL", "clickhouse": "CLICKHOUSE_URL"}
MIGRATIONS = (
    (sys.executable, "manage.py", "migrate", "--no-input"),
    (sys.executable, "manage.py", "migrate_clickhouse"),
)
CHECK_START = (sys.executable, "manage.py", "check_start")


@dataclass(frozen=True)
class Stack:
    """What to run, as the settings and the environment say; parts start in the order given and stop in the reverse."""

    engines: list[Part]
    services: list[Part]
    ports: list[Port]
    addresses: dict[str, str]
    """What the ready line tells, in its order."""

    @classmethod
    def configured(cls, environment: Mapping[str, str], *, engines_only: bool) -> "Stack":
        """Lay out the stack.

        Args:
            environment: an engine whose variable, or its file, is set here is not started, but used.
            engines_only: leave the services to be started by hand.

        Raises:
            StartRefused: a file that a TLS setting names is not as it should be.

        """
        embedded = [name for name, variable in VARIABLE_OF_ENGINE.items() if not given(variable, environment)]
        ports = []
        if "clickhouse" in embedded:
            ports.append(Port("AXONIZE_CLICKHOUSE_PORT", "127.0.0.1", settings.CLICKHOUSE_PORT))
        if not engines_only:
            ports += [
                Port("AXONIZE_OTLP_GRPC_PORT", settings.BIND, settings.OTLP_GRPC_PORT),
                Port("AXONIZE_OTLP_HTTP_PORT", settings.BIND, settings.OTLP_HTTP_PORT),
                Port("AXONIZE_WEB_PORT", settings.BIND, settings.WEB_PORT),
            ]
        return cls(
            engines=engines.parts(settings.DATA_DIR, settings.CLICKHOUSE_PORT, only=embedded),
            services=[] if engines_only else _services(),
            ports=ports,
            addresses=_addresses(engines_only=engines_only),
        )


def _services() -> list[Part]:
    """List the services, the one that data reaches first last: so it is stopped first, and seals what it holds."""
    # Whoever runs a laptop's stack as root, in a container say, knows it. Not the whole sentence of Celery's: it names
    # the worker, by which people, and our tests, tell the processes of a stack apart.
    quiet_as_root = ("-W", "ignore:You're running the")
    celery = (sys.executable, *quiet_as_root, "-m", "celery", "--quiet", "--app=axonize")
    return [
        Part(
            "worker",
            (*celery, "worker", "--pool=threads", "--concurrency=2", "--loglevel=WARNING", "--without-mingle"),
            lambda: _is_ready("worker"),
            stop_grace_seconds=4,
        ),
        Part(
            "web",
            (sys.executable, "-m", "gunicorn", "--graceful-timeout=2", "axonize.wsgi"),  # else as gunicorn.conf.py says
            lambda: _is_ready("web"),
            stop_grace_seconds=3,
        ),
        Part(
            "beat",
            (
                *celery,
                "beat",
                f"--schedule={settings.DATA_DIR / 'celerybeat-schedule'}",
                "--pidfile=",
                "--loglevel=WARNING",
            ),
            lambda: _is_ready("beat"),
            stop_grace_seconds=1,
        ),
        Part(
            "receiver",
            (sys.executable, "manage.py", "receive_otlp"),
            lambda: _is_ready("receiver"),
            stop_grace_seconds=4,
        ),
    ]


def _is_ready(part: str) -> bool:
    return command.ask(part, live=False).well


def _url(host: str, port: int, files: tls.Tls | None) -> str:
    return f"{'https' if files else 'http'}://{host}:{port}"


def _addresses(*, engines_only: bool) -> dict[str, str]:
    host = host_to_reach(settings.BIND)
    clickhouse = urlsplit(settings.CLICKHOUSE_URL)
    stores = {"ClickHouse": f"{clickhouse.scheme}://{clickhouse.hostname}:{clickhouse.port or 8123}"}
    if engines_only:
        return {**stores, "sockets of PostgreSQL and Redis": str(settings.SOCKET_DIR)}
    files = tls.configured()
    web = _url(host, settings.WEB_PORT, files)
    return {
        "web": web,
        "admin": f"{web}/admin/",
        "API docs": f"{web}/api/docs",
        "OTLP gRPC": f"{host}:{settings.OTLP_GRPC_PORT}" + (" (TLS)" if files else ""),
        "OTLP HTTP": _url(host, settings.OTLP_HTTP_PORT, files),
        **stores,
    }
