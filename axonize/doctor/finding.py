"""What a check of the doctor finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CLOCK_WARN_SECONDS: Final = 1.0
CLOCK_FAIL_SECONDS: Final = 30.0


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, and will not for ever, or not as well as it could."""
    FAIL = "fail"
    """It does not work, or what was acknowledged can be lost."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    """What is so, in one sentence."""
    mend: str = ""
    """What to do about it, in one sentence; empty where all is well."""


Check = Callable[[], Iterable[Finding]]
"""Looks at one thing. What it raises is a finding too, so it need not catch what it can't tell more about."""


def ok(what: str) -> Finding:
    return Finding(Level.OK, what)


def warn(what: str, mend: str) -> Finding:
    return Finding(Level.WARN, what, mend)


def fail(what: str, mend: str) -> Finding:
    return Finding(Level.FAIL, what, mend)


def clock(whose: str, *, theirs_s: float, asked_s: float, answered_s: float) -> Finding:
    """Compare a server's clock with this machine's, as seconds since 1970.

    Args:
        whose: the server's name.
        theirs_s: what it answered.
        asked_s: when it was asked, by our clock.
        answered_s: when its answer was here; it looked at its clock somewhere in between.

    """
    apart_s = max(asked_s - theirs_s, theirs_s - answered_s, 0.0)
    what = f"The clock of {whose} is {apart_s:.1f} s apart from this machine's."
    mend = "Have both machines keep time by NTP, with chrony or systemd-timesyncd."
    if apart_s > CLOCK_FAIL_SECONDS:
        return fail(what, mend)
    return warn(what, mend) if apart_s > CLOCK_WARN_SECONDS else ok(f"The clock of {whose} agrees with ours.")
