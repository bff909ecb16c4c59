"""Axonize as docker-compose.yml runs it, without containers: each service's command and settings, on embedded stores.

Only what a container gives is put in its place: the stores' addresses, the paths of /run/secrets and /tmp, and ports.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from tests.deploy import compose
from tests.engines import ports_of_a_stack
from tests.processes import ROOT, Process, finished, running, wait_until
from tests.stack import Stack, short_folder

HOST: Final = "axonize.example"
PARTS: Final = ("worker", "beat", "web", "receiver")
"""The services that go on, in the order in which they start."""
START_SECONDS: Final = 60


@dataclass(frozen=True, kw_only=True)
class Production(Stack):
    """The running services by name, reached as from behind a proxy that ends TLS."""

    services: Mapping[str, Process]
    described: Mapping[str, Any]
    environment: Mapping[str, str]
    folder: Path

    def healthy(self, part: str) -> bool:
        return self.manage(*self.described[part]["healthcheck"]["test"][3:]).returncode == 0

    def wait_until_healthy(self, part: str) -> None:
        process = self.services[part]
        wait_until(
            lambda: self.healthy(part) or process.popen.poll() is not None,
            START_SECONDS,
            lambda: f"{part} is not healthy: {process.output}",
        )

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _manage(self.environment, *arguments)


@contextmanager
def production() -> Iterator[Production]:
    """Run all services as docker-compose.yml has them, with an API key of every scope."""
    described = compose.own()
    ports = ports_of_a_stack()
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        stores = {"AXONIZE_DATA_DIR": str(folder), "AXONIZE_CLICKHOUSE_PORT": ports["AXONIZE_CLICKHOUSE_PORT"]}
        stack.enter_context(running("manage.py", "up", "--engines-only", env=stores, until="ready ", timeout_s=90))
        environment = _environment(described["web"], folder, ports)
        with redis.Redis(unix_socket_path=str(folder / "run" / "redis.sock")) as server:
            server.config_set("requirepass", (folder / "secrets" / "redis_password").read_text())
        _manage(environment, "collectstatic", "--no-input", check=True)  # the image has them collected
        _run(described["migrate"], environment)
        scopes = ("--scope", "ingest", "--scope", "read", "--scope", "admin")
        key = _manage(environment, "create_api_key", "end to end", *scopes, check=True).stdout.strip()
        services = Production(
            services={part: stack.enter_context(_service(described[part], environment, folder)) for part in PARTS},
            described=described,
            environment=environment,
            folder=folder,
            web_port=int(ports["AXONIZE_WEB_PORT"]),
            grpc_port=int(ports["AXONIZE_OTLP_GRPC_PORT"]),
            http_port=int(ports["AXONIZE_OTLP_HTTP_PORT"]),
            key=key,
            proxied={"Host": HOST, "X-Forwarded-Proto": "https"},
        )
        for part in PARTS:
            services.wait_until_healthy(part)
        yield services


def _environment(service: Mapping[str, Any], folder: Path, ports: Mapping[str, str]) -> dict[str, str]:
    """Return a service's environment with secrets of its own, and what .env says of a host behind a proxy."""
    own = folder / "secrets"
    own.mkdir(mode=0o700)
    environment = {name: compose.filled_in(str(value)) for name, value in service["environment"].items()}
    for name, value in environment.items():
        if name.endswith("_FILE"):
            environment[name] = value.replace("/run/secrets", str(own))
            Path(environment[name]).write_text(secrets.token_urlsafe(48))
    return (
        environment
        | dict(ports)
        | {
            "DATABASE_URL": f"postgresql://postgres@{str(folder / 'run').replace('/', '%2F')}/axonize",
            "REDIS_URL": f"unix://{folder}/run/redis.sock?db=0",
            "CLICKHOUSE_URL": f"http://axonize@127.0.0.1:{ports['AXONIZE_CLICKHOUSE_PORT']}/axonize",
            "AXONIZE_HEALTH_DIR": str(folder / "health"),
            "AXONIZE_STATIC_ROOT": str(folder / "static"),
            "AXONIZE_LOG_FORMAT": "json",
            "AXONIZE_HTTPS": "true",
            "AXONIZE_TRUST_PROXY": "true",
            "ALLOWED_HOSTS": HOST,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
    )


@contextmanager
def _service(service: Mapping[str, Any], environment: Mapping[str, str], folder: Path) -> Iterator[Process]:
    command = [compose.filled_in(word).replace("/tmp/", f"{folder}/") for word in service["command"]]  # noqa: S108
    process = Process(*command, env=environment)
    try:
        yield process
    finally:
        process.popen.terminate()
        try:
            process.wait(30)
        finally:
            process.popen.kill()


def _run(service: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    command = [*service["entrypoint"], *map(compose.filled_in, service["command"])]
    subprocess.run(command, cwd=ROOT, env=os.environ | dict(environment), check=True, timeout=120)


def _manage(environment: Mapping[str, str], *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    return finished("manage.py", *arguments, env=environment, check=check, timeout_s=120)
