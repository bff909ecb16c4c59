"""The examples of docs/api.md: what they ask for, and running them, shell and Python in the order of the page."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "api.md"

# Stands first in PATH: asks the real curl, and keeps what came and what it was an answer to.
RECORDING_CURL = """#!/bin/bash
answer=$(mktemp -p "$ANSWERS")
"$REAL_CURL" "$@" --output "$answer.body" --write-out '%{json}' > "$answer.json"
status=$?
cat "$answer.body" 2> /dev/null
exit $status
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `line` is where its text begins, from 1."""

    language: str
    line: int
    text: str
    page: Path = PAGE


@dataclass(frozen=True)
class Call:
    """A method and an address as an example names it; what stands for a value in it is `{}`."""

    method: str
    path: str


@dataclass(frozen=True)
class Answer:
    """What curl got."""

    method: str
    path: str
    status: int
    content_type: str | None
    body: bytes


def blocks() -> list[Block]:
    """Return the page's blocks of shell and Python, in its order."""
    text = PAGE.read_text()
    return [
        Block(match["language"], text.count("\n", 0, match.start("text")) + 1, match["text"])
        for match in re.finditer(r"^```(?P<language>sh|python)\n(?P<text>.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def curl_calls(block: Block) -> Iterator[Call]:
    """Yield what the curl lines of a block of shell ask for."""
    for command in re.findall(r"curl (?:\\\n|[^\n|])+", block.text):
        words = shlex.split(command.replace("\\\n", " "))
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        (address,) = (word for word in words if word.startswith("$AXONIZE/"))
        path = address.removeprefix("$AXONIZE").partition("?")[0]
        yield Call(method, re.sub(r"\$[A-Z_]+", "{}", path))


def python_calls(block: Block) -> Iterator[Call]:
    """Yield what the calls of `ask` and `pages` in a block of Python ask for."""
    for node in ast.walk(ast.parse(block.text)):
        match node:
            case ast.Call(func=ast.Name("ask"), args=[ast.Constant(str(method)), ast.Constant(str(path)), *_]):
                yield Call(method, path)
            case ast.Call(func=ast.Name("ask"), args=[ast.Constant(str(method)), ast.JoinedStr(parts), *_]):
                yield Call(
                    method, "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
                )
            case ast.Call(func=ast.Name("pages"), args=[ast.Constant(str(path)), *_]):
                yield Call("GET", path)


def python_module() -> str:
    """Return all Python of the page as one module, each line where it stands in the page."""
    lines: list[str] = []
    for block in blocks():
        if block.language == "python":
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
    return "\n".join(lines) + "\n"


@dataclass
class Session:
    """Runs blocks one after the other: those of shell see each other's variables, and so do those of Python."""

    folder: Path
    environment: dict[str, str]
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "examples"})

    def __post_init__(self) -> None:
        real_curl = shutil.which("curl")
        assert real_curl, "The examples need curl."
        tools, self._answers = self.folder / "bin", self.folder / "answers"
        tools.mkdir()
        self._answers.mkdir()
        (tools / "curl").write_text(RECORDING_CURL)
        (tools / "curl").chmod(0o755)
        self.environment = {
            **os.environ,
            **self.environment,
            "PATH": os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "REAL_CURL": real_curl,
            "ANSWERS": str(self._answers),
        }

    def run(self, block: Block) -> list[Answer]:
        """Run a block; return what its curl lines got. Fails where it does."""
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), self.names)  # noqa: S102  our own page
            return []
        left = self.folder / "environment"
        # -a keeps what a block sets for the next ones, functions too; -e and pipefail let no failure pass.
        script = f"{block.text}\nenv --null > {shlex.quote(str(left))}\n"
        done = subprocess.run(
            ["bash", "-aeu", "-o", "pipefail", "-c", script],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{block.page.name}:{block.line}\n{done.stdout}\n{done.stderr}"
        variables = left.read_text().rstrip("\0").split("\0")
        self.environment = dict(variable.split("=", 1) for variable in variables)
        return [self._answer(path) for path in sorted(self._answers.glob("*.json"), key=lambda p: p.stat().st_mtime_ns)]

    def _answer(self, path: Path) -> Answer:
        told = json.loads(path.read_text())
        kept = path.with_suffix(".body")
        body = kept.read_bytes() if kept.exists() else b""
        for each in (path, kept):
            each.unlink(missing_ok=True)
        return Answer(told["method"], urlsplit(told["url"]).path, told["http_code"], told["content_type"], body)
