"""The stores of docker-compose.yml: their commands and configuration, tried on the engines of a laptop."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from axonize.embedded.redis import server_binary
from tests.deploy import compose
from tests.deploy.clickhouse_config import LOGS
from tests.engines import free_ports
from tests.processes import finished, wait_until

PASSWORD = "of-the-test_and-of-nothing-else"  # noqa: S105 - protects nothing
KEPT = {"crash_log", "error_log", "part_log", "query_log", "query_views_log"}


FOLDERS = ("run/secrets", "data", "tmp")
STANDING_IN = "exec {python} -c 'import os, sys; print(os.environ[\"CLICKHOUSE_PASSWORD\"], *sys.argv[1:])'"


def here(text: str, directory: Path, port: int) -> str:
    """Rewrite a container's paths to a directory of the test, and Redis' port to one that is free."""
    for path in FOLDERS:
        (directory / path).mkdir(parents=True, exist_ok=True)
    text = re.sub(rf"(?<=[ <])/({'|'.join(FOLDERS)})\b", rf"{directory}/\1", text)
    return text.replace("exec redis-server ", f"exec {server_binary()} ").replace("--dir ", f"--port {port} --dir ")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Redis, started by the words of docker-compose.yml; yields its port and the root of its container."""
    service = compose.services()["redis"]
    [port] = free_ports(1)
    script = here(compose.filled_in(service["command"][0]), tmp_path, port)
    (tmp_path / "run" / "secrets" / "redis_password").write_text(PASSWORD + "\n")
    process = subprocess.Popen([*service["entrypoint"], script], stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password=PASSWORD) as client:
            wait_until(lambda: process.poll() is not None or answers(client))
        yield port, tmp_path
    finally:
        process.terminate()
        assert process.wait(20) == 0


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_redis_asks_for_the_password_of_the_file_and_keeps_what_it_is_given(redis_server: tuple[int, Path]) -> None:
    port, root = redis_server
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis(port=port, password=PASSWORD) as client:
        config: Any = client.config_get("*")
        assert {
            name: config[name] for name in ("appendonly", "appendfsync", "save", "maxmemory-policy", "maxmemory")
        } == {
            "appendonly": "yes",
            "appendfsync": "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "maxmemory": str(1536 * 1024 * 1024),
        }
        client.set("acknowledged", 1)
    assert any(b"acknowledged" in path.read_bytes() for path in (root / "data").rglob("*") if path.is_file())


def test_the_password_of_redis_is_for_its_container_alone(redis_server: tuple[int, Path]) -> None:
    _, root = redis_server
    assert (root / "tmp" / "redis.conf").stat().st_mode & 0o077 == 0


def test_redis_is_well_when_it_answers_with_the_password_and_not_otherwise(redis_server: tuple[int, Path]) -> None:
    port, root = redis_server
    kind, check = compose.services()["redis"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    command = here(compose.filled_in(check), root, port).replace("redis-cli", f"redis-cli -p {port}")
    path = {"PATH": f"{server_binary().parent}:{os.environ['PATH']}"}

    def well() -> bool:
        return subprocess.run(["/bin/sh", "-c", command], env=path, capture_output=True, check=False).returncode == 0

    assert well()
    (root / "run" / "secrets" / "redis_password").write_text("another")
    assert not well()


def test_the_shell_takes_clickhouses_start_and_finds_the_password_without_its_newline(tmp_path: Path) -> None:
    service = compose.services()["clickhouse"]
    script = here(compose.filled_in(service["command"][0]), tmp_path, 0)
    (tmp_path / "run" / "secrets" / "clickhouse_password").write_text(PASSWORD + "\n")
    script = script.replace("exec clickhouse-server", STANDING_IN.format(python=shlex.quote(sys.executable)))
    started = subprocess.run([*service["entrypoint"], script], capture_output=True, text=True, check=True)
    assert started.stdout == f"{PASSWORD} --config-file=/etc/clickhouse-server/config.xml\n"


def test_clickhouse_takes_the_configuration_and_each_log_that_it_writes_has_an_end(tmp_path: Path) -> None:
    done = finished("-m", "tests.deploy.clickhouse_config", str(tmp_path), "--keep-default")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["ttls"].keys() == KEPT
    assert set(LOGS) >= KEPT
    for ttl in answer["ttls"].values():
        assert ttl.startswith("event_date + toIntervalDay(")
    assert answer["settings"]["max_server_memory_usage_to_ram_ratio"] == "0.8"
    assert ["axonize", "['plaintext_password']"] in answer["users"]
    granted = " ".join(line for [line] in answer["grants"])
    for right in ("SELECT", "INSERT", "ALTER", "CREATE", "DROP", "SYSTEM", "dictGet", "BACKUP"):
        assert right in granted
    assert "ACCESS MANAGEMENT" not in granted


def test_nobody_asks_clickhouse_without_a_password(tmp_path: Path) -> None:
    done = finished("-m", "tests.deploy.clickhouse_config", str(tmp_path))
    assert done.returncode != 0
    assert "default: Authentication failed" in done.stderr
