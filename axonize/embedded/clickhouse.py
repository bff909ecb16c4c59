"""The embedded ClickHouse: the chDB engine served over ClickHouse's HTTP interface, in the foreground."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from axonize.embedded.chdb_engine import Engine
from axonize.embedded.clickhouse_http import application
from axonize.embedded.datadir import DataDirectoryError

# From SIGTERM on: queries may end by themselves, then they are cancelled, then their connections are closed.
CANCEL_AFTER_SECONDS = 1.5
CLOSE_AFTER_SECONDS = 3
# Clients reuse a connection for as long as they like; one that was closed just then would be an error to them.
KEEP_ALIVE_SECONDS = 3600


class Server(uvicorn.Server):
    """Uvicorn, ending the engine's queries when it is told to stop, and exiting with 0 after that."""

    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self._engine = engine

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, loop)
        yield

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        self.should_exit = True
        loop.call_later(CANCEL_AFTER_SECONDS, lambda: loop.run_in_executor(None, self._engine.cancel_all))


def _listener(host: str, port: int) -> socket.socket:
    # With the protocol named asyncio sets TCP_NODELAY, without which each answer waits 40 ms for the client's ACK.
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(512)
    return listener


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m axonize.embedded.clickhouse", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    data_dir = options.data_dir.resolve()
    try:
        listener = _listener(options.host, options.port)
    except OSError as error:
        sys.exit(f"ClickHouse can't listen on {options.host}:{options.port}: {error.strerror}.")
    try:
        engine = Engine(data_dir)
    except DataDirectoryError as error:
        sys.exit(str(error))
    config = uvicorn.Config(
        application(engine, str(data_dir)),
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSE_AFTER_SECONDS,
    )
    # An answer that fails in the middle is left incomplete on purpose, and has said so by itself.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "without completing" not in record.getMessage())
    print(f"ClickHouse {engine.version} at http://{options.host}:{options.port}", flush=True)  # noqa: T201 - its log
    Server(config, engine).run(sockets=[listener])
    # Python would wait for the thread of a query that did not end when told to; what it did was never acknowledged.
    os._exit(0)


if __name__ == "__main__":
    main()
