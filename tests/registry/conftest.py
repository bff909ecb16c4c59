"""Sightings for the registry's tests: spans that name one GPU, sent the whole way."""

import socket
from collections.abc import Iterator
from typing import Protocol

import pytest
from pytest_django import Settings

from axonize.clickhouse.client import get_client
from tests.conftest import Ingest
from tests.otlp import gpu, request, span

CARD = "GPU-5f2c1a9e-8d47-4b1c-9a55-0d2f6b7e3c10"
SLICE = "MIG-8b1f4c52-6a0e-5d3b-b7c9-1e2f3a4b5c6d"


class See(Protocol):
    """Send a span that names one GPU by the fields of its attribution, from a process that `sender` describes."""

    def __call__(
        self,
        *,
        start_ns: int | None = None,
        sender: dict[str, object] | None = None,
        tenant: str = "default",
        **fields: object,
    ) -> None: ...


@pytest.fixture
def see(ingest: Ingest) -> See:
    def send(
        *,
        start_ns: int | None = None,
        sender: dict[str, object] | None = None,
        tenant: str = "default",
        **fields: object,
    ) -> None:
        (verdict,) = ingest(
            request(span(start_ns=start_ns, attributes=gpu(0, **fields)), resource=sender or {}), tenant=tenant
        )
        assert verdict.accepted_spans == 1

    return send


@pytest.fixture
def clickhouse_away(settings: Settings) -> Iterator[None]:
    """Point the process at a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    settings.CLICKHOUSE_URL = f"http://127.0.0.1:{port}/axonize"
    get_client.cache_clear()
    yield
    get_client.cache_clear()
