"""The ClickHouse engine inside this process: opens the data directory, runs queries, cancels them, closes cleanly."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from axonize.embedded.chdb_query import EngineError, Query, Summary
from axonize.embedded.chdb_sessions import Sessions
from axonize.embedded.clickhouse_tokens import forget_unfinished
from axonize.embedded.datadir import DataDirectoryError, lock

MEMORY_SHARE_OF_MACHINE = 0.5
MERGES_NICE = 10  # queries go first
ABORTED = 236
READONLY = 164
SYNTAX_ERROR = 62
RENAME_FAILED = "filesystem error: in rename"


class Engine:
    """The open data directory. Every method may be called from any thread; each query has a connection of its own."""

    def __init__(self, data_dir: Path) -> None:
        """Open, or make, ``<data_dir>/clickhouse``.

        Raises:
            DataDirectoryError: another process has it open, or it can't be written.

        """
        self._lock_descriptor = lock(data_dir, ".clickhouse.lock")
        os.environ["TZ"] = "UTC"  # read when chDB is imported: a laptop's zone must not decide what a DateTime means
        import chdb  # noqa: PLC0415 - after TZ, and 0.5 s that a refused data directory need not cost

        path = data_dir / "clickhouse"
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            forget_unfinished(path)
        except OSError as error:
            raise DataDirectoryError(f"ClickHouse can't write to {path}: {error.strerror}.") from None
        os.chdir(path)  # where chDB keeps a format's schema that came as a setting, whatever format_schema_path says
        self._path = str(path)
        self._chdb: Any = chdb._chdb  # noqa: SLF001 - the bindings: chdb.connect adds a cursor and notebook output
        try:
            limits = f"max_server_memory_usage_to_ram_ratio={MEMORY_SHARE_OF_MACHINE}"
            merges = f"os_threads_nice_value_merge_mutate={MERGES_NICE}"
            self._root = self._chdb.connect(f"{self._path}?{limits}&{merges}")
        except RuntimeError as error:
            raise DataDirectoryError(f"ClickHouse could not open {self._path}: {error}") from None
        facts = self._root.query("SELECT version(), timezone()", "TSV", params={}).bytes().decode().split()
        self.version, self.timezone = facts
        self._sessions = Sessions(self._connect)
        self._running: set[str] = set()
        self._idle = threading.Condition()

    def _connect(self) -> Any:
        connection = self._chdb.connect(self._path)
        connection.query("SET implicit_select = 0", "TSV", params={})  # chDB's default differs from the server's
        return connection

    def execute(self, query: Query, summary: Summary) -> Iterator[bytes]:
        """Run a query and yield its answer piece by piece, counting into ``summary``. Closing the iterator cancels it.

        Raises:
            EngineError: as ClickHouse tells it, before the first piece or after it.

        """
        started = time.monotonic_ns()
        with self._idle:
            self._running.add(query.query_id)
        try:
            with self._sessions.connection(query) as connection:
                self._refuse_what_http_refuses(connection, query)
                for result in _streamed(connection, query) if query.streamed else _whole(connection, query):
                    data: bytes = result.bytes()
                    summary.add(result, len(data))
                    summary.elapsed_ns = time.monotonic_ns() - started
                    yield data
        except RuntimeError as error:
            if query.verb == "INSERT" and RENAME_FAILED in str(error):
                raise _restarting(error) from None
            raise EngineError.read(error, self.version) from None
        finally:
            with self._idle:
                self._running.discard(query.query_id)
                self._idle.notify_all()

    @staticmethod
    def _refuse_what_http_refuses(connection: Any, query: Query) -> None:
        if query.verb == "INSERT" and not query.read_only:
            return  # the first statement's data may be anything
        found = connection.classify_query(query.text)
        if found["statement_count"] > 1:
            raise EngineError.made(SYNTAX_ERROR, "SYNTAX_ERROR", "Multi-statements are not allowed")
        if query.read_only and found["query_class"].name != "READ_ONLY":
            raise EngineError.made(
                READONLY,
                "READONLY",
                "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly.",
            )

    def cancel(self, query_id: str) -> None:
        """End a running query, if it runs; its own caller then sees QUERY_WAS_CANCELLED."""
        connection = self._connect()
        try:
            statement = "KILL QUERY WHERE Settings['log_comment'] = {query_id:String} ASYNC"
            connection.query(statement, "Null", params={"query_id": query_id})
        finally:
            connection.close()

    def cancel_all(self) -> None:
        """End every running query."""
        for query_id in list(self._running):
            self.cancel(query_id)

    def close(self, *, grace_seconds: float) -> None:
        """Cancel what runs, wait for it as long as ``grace_seconds``, then flush and close the data directory."""
        self.cancel_all()
        with self._idle:
            self._idle.wait_for(lambda: not self._running, timeout=grace_seconds)
        self._sessions.close_idle(everything=True)
        self._root.close()


def _restarting(error: RuntimeError) -> EngineError:
    """End this process, as a part could not be put into place: its token is taken, and only a start forgets it."""
    os.kill(os.getpid(), signal.SIGTERM)
    return EngineError.made(ABORTED, "ABORTED", f"ClickHouse starts again, for it could not keep a part: {error}")


def _whole(connection: Any, query: Query) -> Iterator[Any]:
    yield connection.query(query.text, query.format, params=dict(query.parameters))


def _streamed(connection: Any, query: Query) -> Iterator[Any]:
    stream = connection.send_query(query.text, query.format, params=dict(query.parameters))
    finished = False
    try:
        while True:
            piece = connection.streaming_fetch_result(stream)
            if piece.rows_read() == 0:
                finished = True
                return
            yield piece
    finally:
        if not finished:
            connection.streaming_cancel_query(stream)
