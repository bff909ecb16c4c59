"""What the Dockerfile takes in and how its image is run; `make image-steps` goes through its steps."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Ignored, context, stages
from tests.processes import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
BUILD, IMAGE = stages(DOCKERFILE)
SECRETS = ("secret_key", "database_password", "redis_password", "clickhouse_password")


@pytest.fixture(scope="module")
def inside() -> set[str]:
    ignored = Ignored((ROOT / ".dockerignore").read_text())
    return {path.as_posix() for path in context(ROOT, ignored)}


def make_secrets(directory: Path) -> None:
    subprocess.run(["make", "--silent", "--file", ROOT / "Makefile", "--directory", directory, "secrets"], check=True)


def test_the_build_is_given_the_code_and_nothing_that_is_private_or_of_a_laptop(inside: set[str]) -> None:
    assert {
        "manage.py",
        "gunicorn.conf.py",
        "requirements/base.txt",
        "requirements/embedded.txt",
        "axonize/settings.py",
        "ingest/otlp.proto",
    } <= inside
    assert {path.split("/")[0] for path in inside} == {
        "LICENSE", "analytics", "axonize", "gunicorn.conf.py", "ingest", "manage.py", "registry", "requirements",
    }  # fmt: skip
    assert not [path for path in inside if re.search(r"axonize/demo|commands/(demo|up)\.py|\.pyc$|\.env|secret", path)]


def test_what_the_tracked_folders_hold_is_not_lost_on_the_way(inside: set[str]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "axonize", "ingest", "registry", "analytics"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    left_out = {path for path in tracked.stdout.splitlines() if (ROOT / path).exists()} - inside
    assert {re.sub(r"demo/.*", "demo/", path) for path in left_out} == {
        "axonize/demo/",
        "axonize/management/commands/demo.py",
        "axonize/management/commands/up.py",
    }


def test_the_last_pattern_that_matches_a_path_decides_whether_it_is_left_out() -> None:
    ignored = Ignored("*\n!kept\nkept/inner\n!kept/inner/again.txt\n**/*.pyc\n")
    paths = ["other", "kept/a.py", "kept/inner/b.py", "kept/inner/again.txt", "kept/deep/c.pyc", "d.pyc"]
    assert [path for path in paths if Path(path) not in ignored] == ["kept/a.py", "kept/inner/again.txt"]


def test_the_image_runs_as_nobody_of_the_host_and_hands_signals_on() -> None:
    assert IMAGE.last("USER").text == "10001:10001"
    assert "--uid 10001 --gid 10001" in DOCKERFILE
    assert IMAGE.last("STOPSIGNAL").text == "SIGTERM"
    for name in ("ENTRYPOINT", "CMD"):
        assert IMAGE.last(name).text.startswith("["), "a shell in between would keep the signal to itself"
    assert IMAGE.last("HEALTHCHECK").text.endswith('CMD ["python", "manage.py", "health", "web"]')


def test_what_is_installed_is_what_the_lock_file_says_byte_for_byte() -> None:
    steps = [step for run in BUILD.instructions if run.name == "RUN" for step in run.text.split(" && ")]
    installs = [step for step in steps if " pip " in step]
    assert len(installs) == 2
    assert all("--require-hashes" in step and "--only-binary :all:" in step for step in installs)


def test_no_secret_gets_into_a_layer() -> None:
    assert not {name for stage in (BUILD, IMAGE) for name in stage.environment if re.search("SECRET|PASSWORD", name)}
    assert not re.search(r"^\s*ARG ", DOCKERFILE, flags=re.MULTILINE)


def test_secrets_are_made_once_for_the_containers_and_nobody_else(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    folder = tmp_path / "secrets"
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(made) == sorted(SECRETS)
    assert len(set(made.values())) == len(SECRETS)
    assert all(len(text.strip()) >= 50 for text in made.values())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}

    of_the_operator = "something else\n"
    (folder / "redis_password").chmod(0o600)
    (folder / "redis_password").write_text(of_the_operator)
    (folder / "secret_key").unlink()
    make_secrets(tmp_path)
    again = {path.name: path.read_text() for path in folder.iterdir()}
    assert again["redis_password"] == of_the_operator
    assert again["secret_key"] != made["secret_key"]
    assert {name: again[name] for name in SECRETS[1::2]} == {name: made[name] for name in SECRETS[1::2]}
    assert os.access(folder / "secret_key", os.R_OK)
