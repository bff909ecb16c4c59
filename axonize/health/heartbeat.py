"""What a process says of itself: a small file, written anew each second, that tells whoever asks how it is.

A file and no port: it needs no certificate, no key and no Redis, and who is hung can't write it.
"""

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 1.0
STALE_SECONDS: Final = 10.0
"""Who has written nothing for so long is hung."""
DEFAULT_DIR: Final = (
    Path(os.environ.get("AXONIZE_DATA_DIR") or Path(__file__).resolve().parent.parent.parent / ".axonize").resolve()
    / "health"
)


@dataclass(frozen=True)
class State:
    """How a process is. Each text is one sentence that says why; empty where all is well."""

    hung: str = ""
    """It goes on no more by itself: to start it again helps."""
    unready: str = ""
    """It lives and can't do its work, mostly because of something else."""


@dataclass(frozen=True)
class Beat:
    """What one process wrote last."""

    pid: int
    age_seconds: float
    state: State


@dataclass(frozen=True)
class Verdict:
    """Whether a part is well, and why: one sentence."""

    well: bool
    why: str


class Heartbeat:
    """The file of the process that makes one. A directory that can't be written is told of once, and tried again."""

    def __init__(self, directory: Path, part: str) -> None:
        self._path = directory / f"{part}-{os.getpid()}.json"
        self._told = False

    def write(self, state: State) -> None:
        """Say that the process lives, and how it is."""
        text = json.dumps({"pid": os.getpid(), "at_s": time.monotonic(), **asdict(state)})
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(text)
            new.replace(self._path)
        except OSError as error:
            if not self._told:
                logger.warning(
                    "Nobody can see how this process is, for %s can't be written (%s): set AXONIZE_HEALTH_DIR to a "
                    "directory that can.",
                    self._path.parent,
                    error.strerror,
                )
            self._told = True

    def remove(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):
            self._path.unlink()


def directory() -> Path:
    """Return AXONIZE_HEALTH_DIR, without the settings: to load them takes ten times as long as to look."""
    return Path(os.environ.get("AXONIZE_HEALTH_DIR") or DEFAULT_DIR)


def ask(directory: Path, part: str, *, live: bool) -> Verdict:
    """Tell how a part is, by the files of all its processes that are there.

    Args:
        directory: where they write.
        part: `receiver`, `worker` or `beat`.
        live: ask only whether it lives; else whether it does its work, too.

    """
    beats = list(_beats(directory, part))
    if not beats:
        return Verdict(well=False, why=f"No {part} runs here: none writes to {directory} (AXONIZE_HEALTH_DIR).")
    for beat in beats:
        if beat.age_seconds > STALE_SECONDS:
            why = f"The {part} (process {beat.pid}) hangs: it has written nothing for {beat.age_seconds:.0f} s."
            return Verdict(well=False, why=why)
        if why := beat.state.hung or ("" if live else beat.state.unready):
            return Verdict(well=False, why=f"The {part} (process {beat.pid}): {why}")
    return Verdict(well=True, why=f"The {part} {'lives' if live else 'is ready'}.")


def runs(directory: Path, part: str) -> bool:
    """Tell whether a process of a part is there, well or not."""
    return next(_beats(directory, part), None) is not None


def _beats(directory: Path, part: str) -> Iterator[Beat]:
    """Read the files of processes that are there; those that died without a word left theirs behind."""
    now_s = time.monotonic()
    for path in sorted(directory.glob(f"{part}-*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):  # gone in this moment, or not ours
            content = json.loads(path.read_text())
            if _runs(pid := int(content["pid"])):
                # Of an earlier boot, where the clock of this one has not come to yet
                age = now_s - content["at_s"] if content["at_s"] <= now_s else float("inf")
                yield Beat(pid, age, State(hung=content["hung"], unready=content["unready"]))
            else:
                path.unlink()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True
