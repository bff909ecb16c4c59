"""Reads what is logged as JSON, in this process and by others."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axonize.flood import LibraryFlood
from axonize.log_lines import json_formatter

Line = dict[str, Any]

CANARY = "canary-5f3a9c"
"""A word that must not get into any line."""


class Log:
    """The lines of this process, as its handler writes them."""

    def __init__(self) -> None:
        self._output = io.StringIO()
        self.handler = logging.StreamHandler(self._output)
        self.handler.setFormatter(json_formatter())
        self.handler.addFilter(LibraryFlood())

    @property
    def text(self) -> str:
        return self._output.getvalue()

    @property
    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, logger: str) -> list[Line]:
        return [line for line in self.lines if line["logger"] == logger]


@contextmanager
def logged(level: int = logging.DEBUG) -> Iterator[Log]:
    """Collect what is logged meanwhile."""
    log, root = Log(), logging.getLogger()
    before = root.level
    root.addHandler(log.handler)
    root.setLevel(level)
    try:
        yield log
    finally:
        root.setLevel(before)
        root.removeHandler(log.handler)


def lines_of(output: str) -> list[tuple[str, Line]]:
    """Return from the console of `manage.py up` who said which line of JSON."""
    said = []
    for printed in output.splitlines():
        head, _, text = printed.partition("| ")
        if text.startswith("{"):
            said.append((head.split()[-1], json.loads(text)))
    return said
