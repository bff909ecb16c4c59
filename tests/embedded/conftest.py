"""Data directories, and clients of the embedded ClickHouse."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver import Client
from django.conf import settings

Connect = Callable[..., Client]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Make an empty data directory, whose path is short enough for sockets."""
    with TemporaryDirectory(prefix="axonize-") as directory:
        yield Path(directory)


@pytest.fixture
def connect(engines: None) -> Iterator[Connect]:  # noqa: ARG001 - it must run
    """Make clients that are closed at the test's end."""
    with ExitStack() as stack:

        def make(**options: Any) -> Client:
            client = clickhouse_connect.get_client(host="127.0.0.1", port=settings.CLICKHOUSE_PORT, **options)
            return stack.enter_context(closing(client))

        yield make


@pytest.fixture
def client(connect: Connect) -> Client:
    """Connect as clickhouse-connect does by itself: with a session of its own, and compressing."""
    return connect()


@pytest.fixture
def database(client: Client) -> Iterator[str]:
    """Make a database of this test's own, with a space in its name; the client works in it."""
    name = f"try {uuid.uuid4().hex}"
    client.command("CREATE DATABASE {name:Identifier}", parameters={"name": name})
    client.database = name
    yield name
    client.database = "default"
    client.command("DROP DATABASE {name:Identifier}", parameters={"name": name})
