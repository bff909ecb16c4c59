"""A file of a backup while it is written: its digest, and what it holds on the disk before it counts."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from backports import zstd

from axonize.backup.manifest import BackupFile

# Level 1 keeps pace with the disk; the blocks are columns and compress well at any level.
ZSTD_LEVEL: Final = 1


def write_compressed(directory: Path, path: str, pieces: Iterable[bytes], *, table: str, rows: int) -> BackupFile:
    """Write pieces as one zstd frame (RFC 8878). Raises OSError, and what iterating raises."""
    digest, size_bytes = hashlib.sha256(), 0
    compressor = zstd.ZstdCompressor(ZSTD_LEVEL)
    target = directory / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:

        def keep(data: bytes) -> None:
            nonlocal size_bytes
            digest.update(data)
            size_bytes += len(data)
            file.write(data)

        for piece in pieces:
            keep(compressor.compress(piece))
        keep(compressor.flush())
        file.flush()
        os.fsync(file.fileno())
    return BackupFile(path, size_bytes, digest.hexdigest(), table, rows)


def written(directory: Path, path: str) -> BackupFile:
    """Return what a program of its own has written. Raises OSError."""
    with (directory / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        os.fsync(file.fileno())
        return BackupFile(path, file.tell(), digest.hexdigest())
