"""A PostgreSQL that says nothing holds up a caller for a bounded time; once back it is used again."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from axonize import patience
from axonize.embedded import engines
from axonize.patience import BoundedConnection, bounded


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    """Yield how to reach a PostgreSQL of these tests, by its socket."""
    with TemporaryDirectory(prefix="axz-") as directory:
        Path(directory).chmod(0o711)  # run by root, PostgreSQL becomes another user
        with engines.running(Path(directory), 0, only=["postgres"]):
            yield f"host={directory}/run user=postgres dbname=axonize"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "GRACE_SECONDS", 0.7)
    monkeypatch.setattr(patience, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(BoundedConnection, "is_server_silent", False)


@contextmanager
def stopped(connection: psycopg.Connection) -> Iterator[None]:
    """Hold the process that serves a connection."""
    pid = connection.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_statement_that_the_server_leaves_unanswered_is_given_up(dsn: str) -> None:
    with closing(bounded(0.3).connect(dsn)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with stopped(connection), pytest.raises(psycopg.OperationalError, match="has said nothing for"):
            connection.execute("SELECT 1")
        assert connection.closed, "its answer may still come, and is nobody's"
    with closing(bounded(0.3).connect(dsn)) as connection:
        assert BoundedConnection.is_server_silent, "so the next one waits less"
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not BoundedConnection.is_server_silent


def test_what_the_server_itself_ends_is_no_silence(dsn: str) -> None:
    with closing(bounded(20).connect(dsn, options="-c statement_timeout=100")) as connection:
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")
        assert not connection.closed
    assert not BoundedConnection.is_server_silent


def test_a_session_may_wait_as_long_as_it_takes(dsn: str) -> None:
    with closing(bounded(0.01).connect(dsn)) as connection:
        connection.patience_seconds = None
        assert connection.execute("SELECT 1 FROM pg_sleep(1)").fetchone() == (1,)
