"""The disk under the data directory, and whether processes can leave their heartbeats."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings

from axonize.doctor.finding import Check, Finding, fail, ok, warn

FAIL_BYTES: Final = 1024**3
WARN_BYTES: Final = 5 * 1024**3
WARN_SHARE: Final = 0.1
GIB: Final = 1024**3


def space(where: str, *, free_bytes: int, total_bytes: int) -> Finding:
    """Judge what is free on a disk."""
    what = f"{where} has {free_bytes / GIB:.1f} GiB free of {total_bytes / GIB:.0f} GiB."
    mend = "Make room, or a larger disk; how long spans are kept decides how much they take."
    if free_bytes < FAIL_BYTES:
        return fail(what, mend)
    return warn(what, mend) if free_bytes < min(WARN_BYTES, total_bytes * WARN_SHARE) else ok(what)


def disk() -> Iterator[Finding]:
    """Look at the disk of AXONIZE_DATA_DIR, and at AXONIZE_HEALTH_DIR."""
    usage = shutil.disk_usage(_existing(settings.DATA_DIR))
    yield space(str(settings.DATA_DIR), free_bytes=usage.free, total_bytes=usage.total)
    if not os.access(_existing(settings.HEALTH_DIR), os.W_OK):
        yield warn(
            f"{settings.HEALTH_DIR} can't be written, so no process can leave its heartbeat.",
            "Set AXONIZE_HEALTH_DIR to a directory that can be written, a tmpfs for example.",
        )


def _existing(path: Path) -> Path:
    """Return the path, or the nearest above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


CHECKS: Final[dict[str, Check]] = {"disk": disk}
