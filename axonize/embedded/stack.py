"""The whole of Axonize on one machine: its parts, their ports and addresses, and the order in which they go."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from axonize.celery import app
from axonize.embedded import engines, probes
from axonize.embedded.part import Part
from axonize.embedded.ports import Port, host_to_reach

# Each embedded server, and the variable that names another one in its place
VARIABLE_OF_ENGINE = {"redis": "REDIS_URL", "postgres": "DATABASE_URL", "clickhouse": "CLICKHOUSE_URL"}
MIGRATIONS = (
    (sys.executable, "manage.py", "migrate", "--no-input"),
    (sys.executable, "manage.py", "migrate_clickhouse"),
)


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
            environment: an engine whose variable is set here is not started, but used.
            engines_only: leave the services to be started by hand.

        """
        embedded = [name for name, variable in VARIABLE_OF_ENGINE.items() if not environment.get(variable)]
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
    host = host_to_reach(settings.BIND)
    celery = (sys.executable, "-m", "celery", "--quiet", "--app=axonize")
    web = f"{f'[{settings.BIND}]' if ':' in settings.BIND else settings.BIND}:{settings.WEB_PORT}"
    return [
        Part(
            "worker",
            (*celery, "worker", "--pool=threads", "--concurrency=2", "--loglevel=WARNING", "--without-mingle"),
            lambda: probes.worker_answers(app),
            stop_grace_seconds=4,
        ),
        Part(
            "web",
            (
                *(sys.executable, "-m", "gunicorn", "axonize.wsgi", f"--bind={web}", "--worker-class=gthread"),
                *("--workers=1", "--threads=8", "--graceful-timeout=2", "--no-control-socket", "--log-level=warning"),
            ),
            lambda: engines.http_answers(f"http://{host}:{settings.WEB_PORT}/readyz", Host=_allowed_host()),
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
            lambda: probes.beat_answers(app),
            stop_grace_seconds=1,
        ),
        Part(
            "receiver",
            (sys.executable, "manage.py", "receive_otlp"),
            lambda: (
                probes.grpc_answers(f"{host}:{settings.OTLP_GRPC_PORT}")
                and engines.http_answers(f"http://{host}:{settings.OTLP_HTTP_PORT}/healthz")
            ),
            stop_grace_seconds=4,
        ),
    ]


def _allowed_host() -> str:
    """Return a name under which Django lets itself be asked."""
    first = settings.ALLOWED_HOSTS[0] if settings.ALLOWED_HOSTS else "*"
    return "localhost" if first == "*" else first.removeprefix(".")


def _addresses(*, engines_only: bool) -> dict[str, str]:
    host = host_to_reach(settings.BIND)
    clickhouse = urlsplit(settings.CLICKHOUSE_URL)
    stores = {"ClickHouse": f"{clickhouse.scheme}://{clickhouse.hostname}:{clickhouse.port or 8123}"}
    if engines_only:
        return {**stores, "sockets of PostgreSQL and Redis": str(settings.SOCKET_DIR)}
    web = f"http://{host}:{settings.WEB_PORT}"
    return {
        "web": web,
        "admin": f"{web}/admin/",
        "API docs": f"{web}/api/docs",
        "OTLP gRPC": f"{host}:{settings.OTLP_GRPC_PORT}",
        "OTLP HTTP": f"http://{host}:{settings.OTLP_HTTP_PORT}",
        **stores,
    }
