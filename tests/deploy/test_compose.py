"""docker-compose.yml, .env.example and the Dockerfile agree with the code, with Compose and with each other."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError

from axonize.clickhouse.client import WRITE_TIMEOUT_SECONDS
from axonize.embedded.stack import Stack
from axonize.settings import env
from ingest.receiver import processes, run as receiver
from tests.deploy import compose
from tests.deploy.compose import STORES
from tests.deploy.dockerfile import stages
from tests.processes import ROOT, finished

SERVICES = compose.services()
OWN = compose.own()
SERVERS = sorted(SERVICES.keys() - {"migrate"})
PARTS = sorted(OWN.keys() - {"migrate"})
FROM_FILES = {"SECRET_KEY", "DATABASE_PASSWORD", "REDIS_PASSWORD", "CLICKHOUSE_PASSWORD"}
OF_COMPOSE = {"LIMIT_CLICKHOUSE_CPUS", "LIMIT_CLICKHOUSE_MEMORY", "LIMIT_RECEIVER_CPUS"}
"""Variables that docker-compose.yml alone reads."""
OF_PYTHON = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE"}


def seconds(text: str) -> int:
    """Return the seconds of `75s`; the file writes them in no other way."""
    return int(text.removesuffix("s"))


def parsed_by_compose(directory: Path, *files: str) -> dict[str, Any]:
    """Return what Debian's docker-compose makes of the files; it asks no engine for that."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed (Debian: apt-get install docker-compose)")
    named = [word for file in files for word in ("--file", file)]
    ended = subprocess.run(
        [program, *named, "config"],
        cwd=directory,
        env={"PATH": os.environ["PATH"]},  # the tests' own settings would count more than .env
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = yaml.safe_load(ended.stdout)
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with the Compose file and an operator's .env, the example as it is."""
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    return tmp_path


def test_the_file_follows_the_compose_specification() -> None:
    done = finished("-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert done.returncode == 0, done.stdout


def test_compose_takes_the_file_with_the_example_of_an_env(directory: Path) -> None:
    found = parsed_by_compose(directory, "docker-compose.yml")
    assert found["services"].keys() == SERVICES.keys()
    published = {name: service["ports"] for name, service in found["services"].items() if service.get("ports")}
    assert published == {
        "receiver": ["127.0.0.1:4317:4317/tcp", "127.0.0.1:4318:4318/tcp"],
        "web": ["127.0.0.1:8000:8000/tcp"],
    }


def overrides() -> list[str]:
    """Return the override files that docs/deployment.md shows."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    return re.findall(r"```yaml\n(# docker-compose.override.yml\n.+?)```", text, flags=re.DOTALL)


def test_compose_takes_the_override_for_certificates(directory: Path) -> None:
    certificates, _ = overrides()
    (directory / "override.yml").write_text(certificates)
    found = parsed_by_compose(directory, "docker-compose.yml", "override.yml")
    for name in OWN:
        secrets = {secret["source"] for secret in found["services"][name]["secrets"]}
        assert secrets - set(OWN[name]["secrets"]) == (
            {"tls_cert", "tls_key"} if name in {"receiver", "web", "migrate"} else set()
        )
    paths = {name: value for name, value in compose.example().items() if name.startswith("AXONIZE_TLS_")}
    assert set(paths.values()) == {"/run/secrets/tls_cert", "/run/secrets/tls_key"}


def test_compose_takes_the_override_for_the_stores_alone(directory: Path) -> None:
    _, stores = overrides()
    (directory / "override.yml").write_text(stores)
    found = parsed_by_compose(directory, "docker-compose.yml", "override.yml")
    published = {name: service["ports"] for name, service in found["services"].items() if name in STORES}
    assert published == {
        "redis": ["127.0.0.1:6379:6379/tcp"],
        "postgres": ["127.0.0.1:5432:5432/tcp"],
        "clickhouse": ["127.0.0.1:8123:8123/tcp"],
    }
    assert all(found["services"][name]["networks"].keys() == {"default", "stores"} for name in STORES)


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_bounded_and_hardened(name: str) -> None:
    service = SERVICES[name]
    for limit in ("cpus", "mem_limit", "pids_limit", "stop_grace_period"):
        assert service[limit], limit
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert not service.get("privileged")
    assert service.get("network_mode") is None
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


@pytest.mark.parametrize("name", SERVERS)
def test_each_server_is_started_again_and_asked_how_it_is(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["healthcheck"].keys() >= {"interval", "timeout", "start_period", "retries"}


@pytest.mark.parametrize("name", PARTS)
def test_each_part_asks_for_its_own_health(name: str) -> None:
    assert OWN[name]["healthcheck"]["test"] == ["CMD", "python", "manage.py", "health", name]


def test_nothing_starts_before_the_migrations_and_they_not_before_the_stores() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["depends_on"] == {name: {"condition": "service_healthy"} for name in STORES}
    for name in PARTS:
        assert OWN[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


@pytest.mark.parametrize("name", sorted(STORES))
def test_a_store_is_reached_by_the_parts_alone_and_keeps_its_data(name: str) -> None:
    store = SERVICES[name]
    assert "ports" not in store
    assert store["networks"] == ["stores"]
    assert compose.load()["networks"]["stores"] == {"internal": True}
    assert any(volume.startswith(f"{name}:") for volume in store["volumes"])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", store["user"]), "not root"


def test_each_image_is_pinned_to_a_release() -> None:
    for name in STORES:
        assert re.fullmatch(r"[\w/-]+:\d+\.\d+(\.\d+)*(-alpine)?", SERVICES[name]["image"])
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {service["image"] for service in OWN.values()} == {f"axonize-server:{version}"}
    for stage in stages((ROOT / "Dockerfile").read_text()):
        assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", stage.base)


def test_each_setting_that_is_set_is_one_that_the_code_reads() -> None:
    *_, image = stages((ROOT / "Dockerfile").read_text())
    named = {name for service in OWN.values() for name in compose.environment(service)}
    named |= compose.example().keys() | compose.variables().keys() | (image.environment.keys() - OF_PYTHON)
    assert named - OF_COMPOSE - env.variables == set()


def test_each_variable_of_compose_alone_is_in_the_example_and_used() -> None:
    assert compose.example().keys() >= OF_COMPOSE
    assert compose.variables().keys() >= OF_COMPOSE
    for name, default in compose.variables().items():
        assert name in compose.example()
        if name in OF_COMPOSE:
            assert compose.example()[name] == default


def test_each_secret_is_made_by_make_and_read_by_who_has_it() -> None:
    declared = {name: secret["file"] for name, secret in compose.load()["secrets"].items()}
    assert declared == {name.lower(): f"./secrets/{name.lower()}" for name in FROM_FILES}
    [made] = re.findall(r"for name in (.+?); do", (ROOT / "Makefile").read_text().split("\nsecrets:")[1])
    assert made.split() == list(declared)
    for name, service in SERVICES.items():
        told = f"{service.get('environment')}{service.get('command')}{service['healthcheck']}"
        assert set(re.findall(r"/run/secrets/(\w+)", told)) == set(service["secrets"]), name
    for service in OWN.values():
        files = {name: value for name, value in compose.environment(service).items() if name.endswith("_FILE")}
        assert files == {f"{name}_FILE": f"/run/secrets/{name.lower()}" for name in FROM_FILES}
        assert files.keys() <= env.variables


def test_no_secret_stands_in_a_file_of_the_project() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/secrets/", "/.env"} <= set(ignored)
    assert not [name for name in compose.example() if re.search("PASSWORD|SECRET_KEY", name)]


@pytest.mark.parametrize("command", compose.commands(), ids=" ".join)
def test_each_command_exists_and_takes_its_options(command: list[str]) -> None:
    if command[0] != "manage.py":
        ended = subprocess.run(
            [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return
    name, *arguments = command[1:]
    assert name in get_commands()
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    try:
        parser.parse_args(arguments)
    except CommandError as error:
        pytest.fail(str(error))


def test_the_parts_are_run_as_the_stack_on_a_laptop_runs_them() -> None:
    def command(words: list[str]) -> list[str]:
        if words[0] == "-W":  # what a laptop's terminal is spared
            del words[:2]
        return [word for word in words if not word.startswith(("--schedule=", "--graceful-timeout="))]

    laptop = {part.name: command(list(part.argv[1:])) for part in Stack.configured({}, engines_only=False).services}
    assert {name: command(OWN[name]["command"]) for name in PARTS} == laptop


def test_each_part_is_given_the_time_that_it_needs_to_stop() -> None:
    def grace(name: str) -> int:
        return seconds(SERVICES[name]["stop_grace_period"])

    config: dict[str, Any] = {}
    exec((ROOT / "gunicorn.conf.py").read_text(), config)  # noqa: S102 - it is how gunicorn reads it
    assert config["graceful_timeout"] > settings.QUERY_MAX_SECONDS
    assert grace("web") > config["graceful_timeout"]
    assert grace("receiver") > max(receiver.GRACE_SECONDS, processes.STOP_SECONDS)
    assert grace("worker") > WRITE_TIMEOUT_SECONDS
    assert all(grace(name) >= 30 for name in STORES)


def test_the_document_tells_the_stop_periods_and_the_limits() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text()
    for name, period in {"receiver": "its batch (20 s)", "worker": "hands (75 s)", "web": "under way (40 s)"}.items():
        assert period in text
        assert f"({seconds(SERVICES[name]['stop_grace_period'])} s)" in period
    for name, service in SERVICES.items():
        [row] = re.findall(rf"^\| `{name}` \|.*\| (.+?) \|$", text, flags=re.MULTILINE)
        cpus, memory = (compose.filled_in(str(service[limit])) for limit in ("cpus", "mem_limit"))
        unit = {"g": " GB", "m": " MB"}[memory[-1]]
        assert row == f"{cpus} CPU{'s' if cpus != '1' else ''}, {memory[:-1]}{unit}"


def test_the_queue_fits_into_redis() -> None:
    [limit] = re.findall(r"--maxmemory (\d+)mb", SERVICES["redis"]["command"][0])
    digests_bytes = 200_000_000  # docs/reliability.md, "Memory is bounded"
    assert int(limit) * 1024 * 1024 > settings.QUEUE_MAX_BYTES + digests_bytes
    assert SERVICES["redis"]["mem_limit"] == f"{2 * int(limit) // 1024}g"


def test_the_ports_of_image_and_settings_are_the_same() -> None:
    *_, image = stages((ROOT / "Dockerfile").read_text())
    defaults = {name: value for name, value in compose.variables().items() if name.endswith("_PORT")}
    assert sorted(image.last("EXPOSE").words) == sorted(defaults.values())
    for name, default in defaults.items():
        assert re.search(rf'env\.int\("{name}", {default}\b', (ROOT / "axonize" / "settings.py").read_text())
