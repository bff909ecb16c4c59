"""Each command and each variable that the documentation names is there, with the options that it names."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from opentelemetry.sdk import environment_variables as of_the_sdk

from tests.docs.markdown import DOCS, README, Page
from tests.processes import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
PAGES = [README, *DOCS]
# Where variables of our own are read: the server, its benchmarks and its tests.
CODE = [
    path
    for name in ("axonize", "ingest", "registry", "analytics", "bench", "tests")
    for path in (ROOT / name).rglob("*.py")
]
CODE += [ROOT / "Makefile", *ROOT.glob("docker-compose*.yml"), *ROOT.glob("*.py")]
# Read by SDKs in other languages, by vLLM and by SGLang; the SDK for Python has no name for them.
OTHERS_VARIABLES = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"}


def commands(page: Page) -> Iterator[list[str]]:
    """Yield the words behind `manage.py` wherever the page has a command of it, up to a comment or another command."""
    for line in re.findall(r"manage\.py ([a-z_]+[^\n`]*)", page.text):
        lexer = shlex.shlex(re.sub(r"\$\{[^}]*\}|…", "X", line), posix=True, punctuation_chars="()|;&<>")
        lexer.whitespace_split = True
        words: list[str] = []
        try:
            for word in lexer:
                if re.match(r"[()|;&<>]", word):
                    break
                words.append(word)
        except ValueError:  # prose with an apostrophe
            words = line.split()[:1]
        yield words


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options of a parser and of all its subcommands."""
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                found |= options_of(subparser)
    return found


def parser_of(command: str) -> argparse.ArgumentParser:
    app = get_commands()[command]
    assert isinstance(app, str)
    return load_command_class(app, command).create_parser("manage.py", command)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_each_management_command_is_there_with_its_options(page: Page) -> None:
    for command, *words in commands(page):
        assert command in get_commands(), command
        named = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert named <= options_of(parser_of(command)), command


def test_the_commands_of_the_pages_are_found() -> None:
    found = [words for page in PAGES for words in commands(page)]
    assert ["create_api_key", "dashboard", "--scope", "read"] in found
    assert ["dead_letters", "list", "--reason", "TOO_LARGE", "--since", "2026-03-01"] in found


def recipe(target: str) -> str | None:
    """Return what `make` does for a target."""
    found = re.search(rf"^{re.escape(target)}:[^\n]*\n((?:\t[^\n]*\n?)+)", MAKEFILE, re.MULTILINE)
    return found[1] if found else None


def options_of_recipe(text: str) -> set[str]:
    """Return the options that ARGS may have: those of the management command, or all that the benchmarks name."""
    if command := re.search(r"manage\.py ([a-z_]+)", text):
        return options_of(parser_of(command[1]))
    files = (ROOT / "bench").rglob("*.py")
    return {option for file in files for option in re.findall(r'"(--[a-z-]+)"', file.read_text())}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_each_make_target_is_there_with_its_options(page: Page) -> None:
    for target, arguments in re.findall(r'(?:`|^)make ([a-z-]+)(?: ARGS="([^"]*)")?', page.text, re.MULTILINE):
        text = recipe(target)
        assert text, f"make {target}"
        named = {word.partition("=")[0] for word in arguments.split() if word.startswith("--")}
        assert not named or named <= options_of_recipe(text), f"make {target}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_each_variable_of_ours_is_read_somewhere(page: Page) -> None:
    set_by_the_page = set(re.findall(r"\b(AXONIZE_[A-Z_]+)=", "".join(page.blocks("sh"))))
    names = (
        set(re.findall(r"\bAXONIZE_[A-Z_]*[A-Z]\b", page.text)) - set_by_the_page - {"AXONIZE_KEY"}
    )  # a client's own
    code = "\n".join(path.read_text() for path in CODE if path != Path(__file__))
    assert {name for name in names if not re.search(rf"\b{name}\b", code)} == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_each_variable_of_opentelemetry_is_one(page: Page) -> None:
    known = {value for name, value in vars(of_the_sdk).items() if "OTEL_" in name and isinstance(value, str)}
    names = set(re.findall(r"\bOTEL_[A-Z_]*[A-Z]\b", page.text))
    assert names - known - OTHERS_VARIABLES == set()
