"""A small disk for a trial, and a file that fills it."""

import errno
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK_BYTES = 1024 * 1024
SMALLEST_BYTES = 512
POLL_SECONDS = 0.05


class NoMountError(Exception):
    """A tmpfs can't be mounted here."""


@contextmanager
def small(size_bytes: int) -> Iterator[Path]:
    """Mount a tmpfs with a short path for as long as the context lasts.

    Raises:
        NoMountError: this user may not.

    """
    with tempfile.TemporaryDirectory(prefix="axz-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0711", "tmpfs", folder]
        try:
            done = subprocess.run(mount, capture_output=True, check=False)
        except OSError as error:
            raise NoMountError(str(error)) from None
        if done.returncode:
            raise NoMountError(done.stderr.decode().strip())
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=False)  # noqa: S607 - a fixed program


class Filler:
    """A file that takes what space there is."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)

    def fill(self) -> None:
        """Take all that is free now, to the last byte."""
        size = CHUNK_BYTES
        while size >= SMALLEST_BYTES:
            try:
                os.write(self._descriptor, bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2

    def keep_full(self, seconds: float) -> None:
        """Take again and again what others free meanwhile."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.fill()
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def filled(directory: Path) -> Iterator[Filler]:
    """Fill the disk that a directory is on for as long as the context lasts."""
    path = directory / "filler"
    filler = Filler(path)
    try:
        filler.fill()
        yield filler
    finally:
        filler.close()
        path.unlink()
