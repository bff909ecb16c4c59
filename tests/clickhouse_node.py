"""One server of a cluster, for tests: the embedded engine, listening by itself, `python -m tests.clickhouse_node DIR`.

DIR has its configuration, `clickhouse-local.xml`. Unlike a server it has no Keeper to be one of several replicas with,
and takes no ON CLUSTER. It ends with SIGTERM or with whoever started it.
"""

import os
import signal
import sys
import threading
from pathlib import Path

WATCH_SECONDS = 1.0


def main(directory: Path) -> None:
    """Serve until this process ends."""
    os.environ["TZ"] = "UTC"
    os.chdir(directory)  # where the engine looks for its configuration
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    import chdb  # noqa: PLC0415 - after TZ, which it reads when it is imported

    # The last of the statements does not end, so neither do the listeners.
    chdb._chdb.query(  # type: ignore[attr-defined]  # its own module of C++, without types
        """
        SYSTEM START LISTEN TCP;
        SYSTEM START LISTEN HTTP;
        SELECT sleepEachRow(1) FROM system.numbers
        SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0
        FORMAT Null
        """,
        "TSV",
        path=str(directory / "data"),
    )


def _end_with(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
