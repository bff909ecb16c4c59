"""Connections to the embedded ClickHouse: one a request, or one a session, with the settings of one query applied."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axonize.embedded.chdb_query import EngineError, Query

SESSION_IS_LOCKED = 373
UNKNOWN_SETTING = 115
_SETTING_NAME = re.compile(r"[A-Za-z_][\w.]*")


@dataclass
class _Session:
    connection: Any
    lock: threading.Lock = field(default_factory=threading.Lock)
    expires_at: float = 0.0


class Sessions:
    """The connections that outlive a request since it named a ``session_id``: temporary tables and SET live in them."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._by_id: dict[str, _Session] = {}
        self._guard = threading.Lock()

    @contextmanager
    def connection(self, query: Query) -> Iterator[Any]:
        """Lend a connection for one query, with its database and settings in force.

        Raises:
            EngineError: the session is in use by another query.

        """
        self.close_idle()
        if not query.session_id:
            connection = self._connect()
            try:
                _apply(connection, query)
                yield connection
            finally:
                connection.close()
            return
        session = self._take(query.session_id)
        try:
            before = _remember(session.connection, query)
            try:
                _apply(session.connection, query)
                yield session.connection
            finally:
                session.expires_at = time.monotonic() + query.session_timeout_seconds
                if not _restored(session.connection, before):
                    session.expires_at = 0
        finally:
            session.lock.release()

    def _take(self, session_id: str) -> _Session:
        with self._guard:
            session = self._by_id.get(session_id)
            if session is None:
                session = self._by_id[session_id] = _Session(self._connect())
            if not session.lock.acquire(blocking=False):
                raise EngineError.made(
                    SESSION_IS_LOCKED, "SESSION_IS_LOCKED", f"Session {session_id} is locked by a concurrent client."
                )
        return session

    def close_idle(self, *, everything: bool = False) -> None:
        """Close the sessions whose time is over, or all that no query uses."""
        now = time.monotonic()
        with self._guard:
            for session_id, session in list(self._by_id.items()):
                if (everything or session.expires_at < now) and session.lock.acquire(blocking=False):
                    del self._by_id[session_id]
                    session.connection.close()


def _run(connection: Any, statement: str) -> str:
    result: bytes = connection.query(statement, "TSVRaw", params={}).bytes()
    return result.decode()


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _apply(connection: Any, query: Query) -> None:
    if query.database:
        _run(connection, f"USE {_identifier(query.database)}")
    for name in query.settings:
        if not _SETTING_NAME.fullmatch(name):
            raise EngineError.made(UNKNOWN_SETTING, "UNKNOWN_SETTING", f"Unknown setting '{name}'.")
    # chDB gives queries ids of its own; the comment, whose only reader would be a query log, is how one is found again.
    settings = {**query.settings, "log_comment": query.query_id}
    _run(connection, "SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))


def _remember(connection: Any, query: Query) -> list[str]:
    """Return the statements that bring a session back to what it is before the query's database and settings."""
    database = _run(connection, "SELECT currentDatabase()").rstrip("\n")
    names = ", ".join(_quoted(name) for name in ("log_comment", *query.settings))
    query_of_settings = f"SELECT name, value, changed FROM system.settings WHERE name IN ({names})"  # noqa: S608 - quoted
    rows = connection.query(query_of_settings, "JSONCompactEachRow", params={}).bytes()
    statements = [f"USE {_identifier(database)}"]
    for line in rows.splitlines():
        name, value, changed = json.loads(line)
        statements.append(f"SET {name} = {_quoted(value) if changed else 'DEFAULT'}")
    return statements


def _restored(connection: Any, statements: list[str]) -> bool:
    """Bring a session back; one that was made read-only by its settings can't be, and has to end."""
    try:
        for statement in statements:
            _run(connection, statement)
    except RuntimeError:
        return False
    return True
