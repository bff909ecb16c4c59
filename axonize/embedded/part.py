"""One process of the stack: how it is started, how one knows that it answers, how it is stopped."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent.parent
"""Where ``manage.py`` is; every part runs there."""


@dataclass(frozen=True)
class Part:
    """A process to run for as long as the stack does."""

    name: str
    argv: tuple[str, ...]
    answers: Callable[[], bool]
    """Whether the part does its work. It may take a second or two; it never raises."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_seconds: float = 5.0
    """How long after the signal it is killed."""
