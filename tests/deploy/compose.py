"""Reads docker-compose.yml as Compose does before it asks an engine: merge keys resolved, variables filled in."""

import re
import shlex
from typing import Any

import yaml

from tests.processes import ROOT

VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)(?::-([^}]*))?\}")
STORES = {"redis", "postgres", "clickhouse"}


def load() -> dict[str, Any]:
    """Return the file; numbers stay numbers, `${VARIABLE}` stays as it is written."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load()["services"]
    return found


def own() -> dict[str, dict[str, Any]]:
    """Return the services that are Axonize's, not the stores."""
    return {name: service for name, service in services().items() if name not in STORES}


def commands() -> list[list[str]]:
    """Return what Axonize's services and their health checks run, each without the word `python`."""
    found = []
    for service in own().values():
        if "entrypoint" in service:
            found += [shlex.split(line) for line in service["command"][0].splitlines()]
        else:
            found.append(["python", *service["command"]])
        test = service["healthcheck"].get("test")
        found += [test[1:]] if test else []
    assert all(words[0] == "python" for words in found)
    return [words[1:] for words in found]


def variables() -> dict[str, str]:
    """Return the variables that docker-compose.yml is filled in with, and the default of each."""
    return dict(VARIABLE.findall((ROOT / "docker-compose.yml").read_text()))


def example() -> dict[str, str]:
    """Return what .env.example sets or shows as a comment."""
    text = (ROOT / ".env.example").read_text()
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, flags=re.MULTILINE))


def environment(service: dict[str, Any]) -> dict[str, str]:
    values: dict[str, str] = service.get("environment", {})
    return values


def filled_in(text: str) -> str:
    """Fill in the defaults, and undo the doubled dollar."""
    return VARIABLE.sub(lambda match: match[2] or "", text).replace("$$", "$")
