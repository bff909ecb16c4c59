"""Builds what the image holds without Docker: the Dockerfile's own steps, one after the other, in an empty directory.

The root of the image is a directory here, so `/app` and `/venv` are rewritten to paths in it, and no users are added to
this machine. A stage takes from an earlier one what it copies, and nothing else. Then the result is asked, as the user
that the image runs as: what it holds, whether it passes Django's checks, and whether it knows each service's command.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distributions
from pathlib import Path

from tests.deploy import compose
from tests.deploy.dockerfile import Ignored, Instruction, Stage, context, stages
from tests.processes import ROOT

USERS = re.compile(r"^(groupadd|useradd)\b")
SECONDS = 180
STRANGER = 10001


class Failed(Exception):
    """A step or a question went wrong; the message says which and how."""


class Build:
    """The stages, each in `root` while it is built and beside it afterwards, so that paths stay what they were."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "image"
        self.environment: dict[str, str] = {}
        self.workdir = Path("/")
        self._directory = directory
        self._top = ("app", "pg", "venv")

    def stage(self, stage: Stage) -> None:
        version = re.match(r"python:(\d+)\.(\d+)", stage.base)
        if version is None or tuple(map(int, version.groups())) != sys.version_info[:2]:
            raise Failed(f"{stage.base} is not this machine's Python {sys.version.split()[0]}.")
        self.root.mkdir(mode=0o755)
        self.environment, self.workdir = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}, Path("/")
        for instruction in stage.instructions:
            self._do(instruction)

    def put_aside(self, stage: Stage) -> None:
        self.root.rename(self._directory / stage.name)

    def here(self, text: str) -> str:
        """Rewrite the image's absolute paths to where they are on this machine."""
        return re.sub(rf"(?<![\w./-])/({'|'.join(self._top)})\b", lambda match: f"{self.root}/{match[1]}", text)

    def run(self, *argv: str, **environment: str) -> str:
        """Run a command in the image, where it can be as a user who is nobody on this machine. Raises Failed."""
        drop = {"user": STRANGER, "group": STRANGER, "extra_groups": []} if may_be_a_stranger() else {}
        ended = subprocess.run(
            list(argv),
            cwd=self.here(str(self.workdir)),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            **drop,  # type: ignore[call-overload]  # keyword arguments of three types
        )
        if ended.returncode:
            raise Failed(f"{' '.join(argv)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return str(ended.stdout)

    def _do(self, instruction: Instruction) -> None:
        match instruction.name:
            case "WORKDIR":
                self.workdir = Path(instruction.text)
                Path(self.here(instruction.text)).mkdir(exist_ok=True)
            case "ENV":
                for word in instruction.words:
                    name, value = word.split("=", 1)
                    value = re.sub(r"\$(\w+)", lambda match: self.environment[match[1]], value)
                    self.environment[name] = self.here(value)
            case "COPY":
                self._copy(instruction)
            case "RUN":
                self._run(instruction.text)

    def _copy(self, instruction: Instruction) -> None:
        *sources, destination = instruction.words
        to = self.root / (self.workdir / destination).relative_to("/")
        for source in sources:
            if stage := instruction.flags.get("from"):
                shutil.copytree(self._directory / stage / source.lstrip("/"), to, symlinks=True, dirs_exist_ok=True)
                continue
            ignored = Ignored((ROOT / ".dockerignore").read_text())
            for path in context(ROOT, ignored):
                if source != "." and path != Path(source):
                    continue
                target = to / path if source == "." else to
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, target)

    def _run(self, text: str) -> None:
        steps = [step.strip() for step in text.split("&&")]
        for step in steps:
            if USERS.match(step):
                print(f"  left out: {step}")
                continue
            print(f"  {step}")
            subprocess.run(
                ["/bin/sh", "-ec", self.here(step)],
                cwd=self.here(str(self.workdir)),
                env={**self.environment, "HOME": os.environ.get("HOME", "/"), "PIP_QUIET": "1", **_package_index()},
                timeout=SECONDS,
                check=True,
            )


def _package_index() -> dict[str, str]:
    """Return what tells pip where packages are on this machine."""
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


def ask(build: Build) -> None:
    """Hold the finished image against what it should be. Raises Failed."""
    _only_what_it_needs(build)
    production = {
        "SECRET_KEY": "a-key-for-the-checks-alone-0123456789-abcdefghijklmnopq",
        "ALLOWED_HOSTS": "axonize.example",
        "AXONIZE_HTTPS": "true",
        "AXONIZE_TRUST_PROXY": "true",
    }
    if not may_be_a_stranger():
        print("  asked as this user: another could not reach this machine's Python")
    print("  manage.py check --deploy")
    build.run("python", "manage.py", "check", "--deploy", "--fail-level", "WARNING", **production)
    for command in compose.commands():
        print(f"  {' '.join(command)} --help")
        build.run("python", *command, "--help", **production)
    print("  pg_dump and pg_restore")
    server = compose.services()["postgres"]["image"].split(":")[1].split(".")[0]
    for program in ("pg_dump", "pg_restore"):
        if f") {server}." not in (told := build.run(program, "--version")):
            raise Failed(f"The server is PostgreSQL {server}, and this is {told}")
    print("  gunicorn --check-config")
    build.run("python", "-m", "gunicorn", "--check-config", "axonize.wsgi", AXONIZE_BIND="127.0.0.1")


def _only_what_it_needs(build: Build) -> None:
    lines = (ROOT / "requirements" / "base.txt").read_text()
    locked = {normal(name) for name in re.findall(r"^([\w.-]+)==", lines, flags=re.MULTILINE)}
    packages = build.root / "venv" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    if different := {normal(found.name) for found in distributions(path=[str(packages)])} ^ locked:
        raise Failed(f"Installed and not locked in requirements/base.txt, or the reverse: {sorted(different)}")
    app = build.root / "app"
    found = {path.name for path in app.iterdir()}
    if unexpected := found & {"tests", "bench", ".git", ".env", "secrets", ".venv", "docs"}:
        raise Failed(f"In the image without a use there: {sorted(unexpected)}")
    compiled = {path.parent.parent / f"{path.name.split('.')[0]}.py" for path in app.rglob("__pycache__/*.pyc")}
    if late := [path for path in app.rglob("*.py") if path not in compiled and path.name != "gunicorn.conf.py"]:
        raise Failed(f"Not compiled, so it would be at each start: {sorted(late)[:5]}")
    if hidden := [path for path in app.rglob("*") if not path.lstat().st_mode & stat.S_IROTH]:
        raise Failed(f"The image's user can't read {sorted(hidden)[:5]}")
    for name in ("venv", "pg", "app"):
        size = sum(path.lstat().st_size for path in (build.root / name).rglob("*") if not path.is_dir())
        print(f"  /{name}: {size / 1_000_000:.0f} MB")


def may_be_a_stranger() -> bool:
    """Tell whether commands can be run as another user: by root alone, and where others reach this Python."""
    python = Path(sys.executable).resolve()
    return os.geteuid() == 0 and all(path.stat().st_mode & stat.S_IXOTH for path in (python, *python.parents))


def normal(name: str) -> str:
    """Return a package's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    started = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="axonize-image-"))
    directory.chmod(0o755)  # the image's user has to reach it
    try:
        build = Build(directory)
        *earlier, last = stages((ROOT / "Dockerfile").read_text())
        for stage in [*earlier, last]:
            print(f"stage {stage.name or 'image'}, of {stage.base}")
            build.stage(stage)
            if stage is not last:
                build.put_aside(stage)
        print("the image's answers")
        ask(build)
    except (Failed, subprocess.CalledProcessError) as error:
        sys.exit(f"image-steps: {error}")
    finally:
        shutil.rmtree(directory)
    print(f"image-steps: all of it in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
