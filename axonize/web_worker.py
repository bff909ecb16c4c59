"""The web process's worker: a client that is slow to ask or to listen costs a waiting thread, for a bounded time."""

import socket
import time
from contextlib import suppress
from typing import Any, Final

from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker  # type: ignore[import-untyped]  # no types

WAITING_THREADS: Final = 256
"""How many clients may be in the middle of a request or an answer at once. Threads are made when they are needed."""
FIRST_BYTE_SECONDS: Final = 0.05
"""How long a thread waits for the first byte of a connection before the poller does."""
REQUEST_SECONDS: Final = 10.0
"""How long a request's line and headers, and TLS's handshake before them, may take."""
EXCHANGE_SECONDS: Final = 90.0
"""How long a request and its answer may take from the first byte to the last."""


class Worker(ThreadWorker):  # type: ignore[misc]  # the same
    """gunicorn's threads, with deadlines: its own reads and writes wait for a client for ever."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadlines: dict[TConn, float] = {}

    def handle(self, conn: TConn) -> Any:
        if not (conn.initialized or conn.data_ready or conn.wait_for_data(FIRST_BYTE_SECONDS)):
            return _DEFER
        conn.data_ready = True
        self._deadlines[conn] = time.monotonic() + REQUEST_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        self._deadlines[conn] = time.monotonic() + EXCHANGE_SECONDS
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Do what gunicorn does about once a second, and end what is overdue: its thread then reads an end."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in self._deadlines.copy().items():
            if deadline < now:
                with suppress(OSError):  # it has just ended by itself
                    # not SSLSocket's own shutdown, which takes its state from under the thread that reads
                    socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)
