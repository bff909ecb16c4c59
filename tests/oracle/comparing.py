"""Whether an answer is what the model says: the first place where it is not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-9


@dataclass(frozen=True)
class AnyOf:
    """Each of these is right."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class About:
    """An amount of money that was added up of parts of a trillionth of a dollar."""

    value: float


class AnyText:
    """Any text that is not empty is right."""

    def __repr__(self) -> str:
        return "any text"


def difference(expected: Any, got: Any, at: str = "answer") -> str | None:
    """Return where and how they differ first, None where they are the same; numbers by value, keys in any order."""
    match expected:
        case AnyOf():
            same = any(difference(value, got) is None for value in expected.values)
        case About(value):
            same = isinstance(got, float) and math.isclose(value, got, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        case AnyText():
            same = isinstance(got, str) and got != ""
        case Mapping():
            return _difference_of_objects(expected, got, at)
        case list():
            return _difference_of_arrays(expected, got, at)
        case bool() | str() | None:
            same = type(expected) is type(got) and expected == got
        case _:
            same = not isinstance(got, bool) and isinstance(got, int | float) and _near(expected, got)
    return None if same else f"{at}: expected {expected!r}, got {got!r}"


def _difference_of_objects(expected: Mapping[str, Any], got: Any, at: str) -> str | None:
    if not isinstance(got, dict):
        return f"{at}: expected an object, got {got!r}"
    if expected.keys() != got.keys():
        return f"{at}: missing {sorted(expected.keys() - got.keys())}, too many {sorted(got.keys() - expected.keys())}"
    return next((found for key in expected if (found := difference(expected[key], got[key], f"{at}.{key}"))), None)


def _difference_of_arrays(expected: list[Any], got: Any, at: str) -> str | None:
    if not isinstance(got, list):
        return f"{at}: expected an array, got {got!r}"
    pairs = enumerate(zip(expected, got, strict=False))
    first = next((found for number, pair in pairs if (found := difference(*pair, f"{at}[{number}]"))), None)
    if first is None and len(expected) != len(got):
        return f"{at}: expected {len(expected)} elements, got {len(got)}"
    return first


def _near(expected: float, got: float) -> bool:
    tolerance = 0 if isinstance(expected, int) else TOLERANCE
    return math.isclose(expected, got, rel_tol=tolerance, abs_tol=tolerance / 1000)
