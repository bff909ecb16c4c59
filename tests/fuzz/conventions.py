"""The tables of docs/conventions.md, read: which keys fill which column, in which order and how."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text()
TYPE_LETTERS = ("s", "i", "d")
# `a.key`, perhaps (what a number in it means); or the rule about the span's name, which has no key
_KEY = re.compile(
    r"`([\w.]+)`(?: \((milliseconds|seconds|latency|duration text)\))?|a span named llm_request \(`llm`\)"
)


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line.strip().strip("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def _keys(cell: str) -> list[tuple[str, str]]:
    return [(key, meaning) for key, meaning in _KEY.findall(cell)]


_SPAN_ROWS = _rows("Span attributes")
# (key, what a number in it means) by column, in order; the key is empty where the span's name decides.
COLUMNS: dict[str, list[tuple[str, str]]] = {row[0].strip("`"): _keys(row[2]) for row in _SPAN_ROWS}
TYPES: dict[str, str] = {row[0].strip("`"): row[1] for row in _SPAN_ROWS}
RESOURCE_COLUMNS: dict[str, list[str]] = {
    row[0].strip("`"): [key for key, _ in _keys(row[1]) if "." in key] for row in _rows("Resource attributes")
}
_GPU_ROWS = _rows("GPUs of a span")
GPU_FIELDS: list[str] = [row[0].strip("`") for row in _GPU_ROWS]
GPU_TEXTS: frozenset[str] = frozenset(row[0].strip("`") for row in _GPU_ROWS if row[1] == "s")
