"""Python, and whether the packages are those that this version was tested with."""

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from django.conf import settings
from packaging.requirements import Requirement

from axonize.doctor.finding import Check, Finding, fail, ok, warn

LEAST_PYTHON: Final = (3, 11)
SHOWN: Final = 5


def python() -> Iterator[Finding]:
    """Look at the interpreter's version."""
    if sys.version_info < LEAST_PYTHON:
        yield fail(f"Python is {platform.python_version()}.", "Install Python 3.11 or later, and make .venv anew.")
    else:
        yield ok(f"Python is {platform.python_version()}.")


def packages() -> Iterator[Finding]:
    """Hold what is installed against the lock file."""
    lock = lock_file()
    if not lock.is_file():
        yield ok("There is no lock file here to hold the packages against.")
        return
    wrong = [line for line in map(_difference, locked(lock)) if line]
    if wrong:
        yield warn(
            f"{len(wrong)} packages differ from {lock.name}: {', '.join(wrong[:SHOWN])}.",
            f"Run `pip install --require-hashes --requirement requirements/{lock.name}`.",
        )
    else:
        yield ok(f"The packages are those of {lock.name}.")


def lock_file() -> Path:
    path: Path = settings.BASE_DIR / "requirements" / "base.txt"
    return path


def locked(lock: Path) -> list[Requirement]:
    """Return what a lock file asks for on this platform."""
    lines = (line.split(" --hash")[0].rstrip(" \\") for line in lock.read_text().splitlines())
    requirements = [Requirement(line) for line in lines if line and not line.startswith((" ", "#", "-"))]
    return [each for each in requirements if each.marker is None or each.marker.evaluate()]


def _difference(requirement: Requirement) -> str:
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    if requirement.specifier.contains(installed, prereleases=True):
        return ""
    return f"{requirement.name} is {installed} and not {str(requirement.specifier).lstrip('=')}"


CHECKS: Final[dict[str, Check]] = {"Python": python, "packages": packages}
