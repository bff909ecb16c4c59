"""The data directory: where each engine keeps its files, and the limits the operating system sets on it."""

import fcntl
import os
from pathlib import Path

# sockaddr_un.sun_path is 108 bytes on Linux and 104 on macOS and the BSDs, the closing NUL included.
SOCKET_PATH_MAX_BYTES = 103
LONGEST_SOCKET_NAME = ".s.PGSQL.5432"
NOT_IN_PATHS = frozenset('?#%,"\\\n')
"""What means something else in the URLs, lists and connection strings that paths become a part of."""


class DataDirectoryError(Exception):
    """The data directory can't be used; the message says why and what to do."""


def socket_dir(data_dir: Path) -> Path:
    """Return the directory of the unix sockets, made when absent.

    Raises:
        DataDirectoryError: a socket in it would have a longer path than the operating system takes.

    """
    _check_characters(data_dir)
    directory = data_dir / "run"
    length = len(os.fsencode(directory / LONGEST_SOCKET_NAME))
    if length > SOCKET_PATH_MAX_BYTES:
        raise DataDirectoryError(
            f"The data directory {data_dir} has too long a path for unix sockets ({length} bytes, at most "
            f"{SOCKET_PATH_MAX_BYTES}): set AXONIZE_DATA_DIR to a shorter one."
        )
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _check_characters(data_dir: Path) -> None:
    found = sorted(NOT_IN_PATHS & set(str(data_dir)))
    if found:
        raise DataDirectoryError(
            f"The data directory {data_dir} has {' '.join(map(repr, found))} in its path, which the servers' addresses "
            "can't carry: set AXONIZE_DATA_DIR to another directory."
        )


def lock(data_dir: Path, name: str) -> int:
    """Take the lock file ``name`` of the data directory and return its descriptor, which holds the lock.

    The descriptor is inheritable, so the lock survives an ``exec`` and ends with the process.

    Raises:
        DataDirectoryError: another process holds it.

    """
    _check_characters(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data_dir / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DataDirectoryError(
            f"The data directory {data_dir} is in use by another process: stop it, or set AXONIZE_DATA_DIR to another "
            "directory."
        ) from None
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - positional only
    return descriptor
