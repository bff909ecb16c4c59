"""What a person has to know of a setting, in the words of docs/configuration.md."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from environs import validate

Validator = Callable[[Any], object]


@dataclass(frozen=True)
class Rule:
    """A validator that says in words what it takes."""

    takes: str
    check: Validator
    """Raises ValidationError."""

    def __call__(self, value: object) -> None:
        self.check(value)


@dataclass(frozen=True)
class Setting:
    """What a person has to know of a setting; the table of docs/configuration.md is held against it."""

    name: str
    type: str
    """With the range, `integer, 1 to 4`."""
    default: str
    unit: str
    secret: bool
    """NAME_FILE may name a file that holds it; its value is shown to nobody."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the environment that set it."""
        return (self.name, f"{self.name}_FILE") if self.secret else (self.name,)


def takes_of(kind: str, rule: Validator | None) -> str:
    """Return in words what a setting of this kind takes under this rule."""
    match rule:
        case Rule(takes=takes):
            return takes
        case validate.OneOf(choices=choices):
            return " or ".join(f"`{choice}`" for choice in choices)
        case validate.Range(min=low, max=None):
            return f"{kind}, at least {low}"
        case validate.Range(min=low, max=high):
            return f"{kind}, {low} to {high}"
    return kind


_UNITS: Final = {
    "_BYTES": "bytes",
    "_MS": "milliseconds",
    "_SECONDS": "seconds",
    "_MINUTES": "minutes",
    "_HOURS": "hours",
    "_DAYS": "days",
    "_SPANS": "spans",
    "_ROWS": "rows",
    "_PROCESSES": "processes",
    "_POOL_SIZE": "connections",
}


def unit_of(name: str) -> str:
    """Return what a number counts, which the end of its name tells, else an empty text."""
    if rate := re.search(r"_([A-Z]+)_PER_([A-Z]+)$", name):
        return f"{rate[1]} a {rate[2]}".lower()
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def in_words(default: Any, unit: str) -> str:
    """Return a default as it is typed into a shell."""
    if default in ("", []):
        return "none"
    if isinstance(default, list):
        return f"`{','.join(default)}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" + (_binary(default) if unit == "bytes" else "")


def _binary(number: int) -> str:
    for power, name in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if number and number % 2**power == 0:
            return f" ({number >> power} {name})"
    return ""
