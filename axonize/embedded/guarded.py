"""The parent's side of the guardian: tell it of every process group, so that none outlives the parent."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from axonize.embedded import guardian


class Guardian:
    """A running guardian process; closing it without open groups ends it, and so does the parent's death."""

    def __init__(self, *, grace_seconds: float = 10.0) -> None:
        """Start the guardian, to kill what has not ended ``grace_seconds`` after it was asked to."""
        # By its path and isolated: it needs the standard library only, and not the memory of this whole project.
        self._process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", str(Path(guardian.__file__)), str(grace_seconds)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def watch(self, group: int, stop_signal: signal.Signals) -> None:
        """Guard a process group that was just started."""
        self._tell(f"+ {group} {stop_signal.value}\n")

    def forget(self, group: int) -> None:
        """Guard a process group no longer: it ended."""
        self._tell(f"- {group}\n")

    def _tell(self, line: str) -> None:
        if self._process.stdin is None:
            raise RuntimeError("A guardian has a pipe.")
        with contextlib.suppress(BrokenPipeError):  # killed by someone; the parts still run without it
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def close(self) -> None:
        """Let the guardian go; what it still guards, it ends."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
