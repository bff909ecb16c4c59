"""One log of many processes: each line with the time and the name of whoever said it, in colour on a terminal."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

from honcho.colour import get_colours  # type: ignore[import-untyped]  # it ships no types
from honcho.printer import Message, Printer  # type: ignore[import-untyped]

WIDTH = 10
"""The length of the longest name."""


class Console:
    """Prints lines, giving each name its colour when it is first heard of."""

    def __init__(self, output: TextIO) -> None:
        self._printer = Printer(output, width=WIDTH)
        self._colours = get_colours()
        self._colour_of: dict[str, str] = {}

    def say(self, name: str, line: str) -> None:
        """Print one line."""
        if name not in self._colour_of:
            self._colour_of[name] = next(self._colours)
        now = datetime.now(UTC).astimezone()
        with suppress(OSError):  # the terminal is gone; its hang-up is what stops the stack
            self._printer.write(Message("line", line, now, name, self._colour_of[name]))
