"""What a backup holds: written last, so that a directory without its manifest is no backup, and read first."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from axonize.backup.errors import BackupError

NAME: Final = "manifest.json"
FORMAT: Final = 1
_PIECE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class BackupFile:
    """One file: its path in the directory, its size, its SHA-256 in hex, and of which table it has how many rows."""

    path: str
    size_bytes: int
    sha256: str
    table: str = ""
    rows: int = 0


@dataclass(frozen=True)
class Manifest:
    """All of a backup.

    `taken_at` is the moment, RFC 3339, as of which both databases are in it. The migrations of ClickHouse are checksums
    by name, those of PostgreSQL `app.name`. `tables` are rows by table of ClickHouse.
    """

    taken_at: str
    finished_at: str
    clickhouse_version: str
    clickhouse_migrations: Mapping[str, str]
    postgres_version: str
    postgres_migrations: Sequence[str]
    tenants: Sequence[str]
    tables: Mapping[str, int]
    files: Sequence[BackupFile]
    format: int = FORMAT

    def write(self, directory: Path) -> None:
        """Write it, whole or not at all. Raises OSError."""
        unfinished = directory / f"{NAME}.new"
        with unfinished.open("w") as file:
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(directory / NAME)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def read(directory: Path) -> Manifest:
    """Return the manifest of a backup. Raises BackupError."""
    path = directory / NAME
    try:
        fields: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise BackupError(f"{directory} is no finished backup: it has no {NAME}. Name another directory.") from None
    except (OSError, ValueError) as error:
        raise BackupError(f"{path} can't be read: {error}. Take the backup from another copy.") from None
    if fields.get("format") != FORMAT:
        raise BackupError(
            f"The backup has the form {fields.get('format')}, and this version reads {FORMAT}. "
            "Restore it with the version of Axonize that made it, then upgrade."
        )
    try:
        return Manifest(**{**fields, "files": [BackupFile(**file) for file in fields["files"]]})
    except (KeyError, TypeError) as error:
        raise BackupError(f"{path} is damaged: {error}. Take the backup from another copy.") from None


def require_whole(directory: Path, manifest: Manifest, say: Callable[[str], None]) -> None:
    """Read every file of a backup and hold it against the manifest. Raises BackupError."""
    say(f"Checking {len(manifest.files)} files, {manifest.size_bytes / 1e6:,.0f} MB.")
    for file in manifest.files:
        path = (directory / file.path).resolve()
        if not path.is_relative_to(directory.resolve()):
            raise BackupError(f"The manifest names {file.path}, which is outside of {directory}. It was tampered with.")
        try:
            found = _sha256(path)
        except OSError as error:
            raise BackupError(f"{path} can't be read: {error.strerror}. Take the backup from another copy.") from None
        if found != file.sha256:
            raise BackupError(f"{path} is damaged: it is not what was written. Take the backup from another copy.")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
