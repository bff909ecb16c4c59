"""API keys, and a clock that tests move, for tests of who may ask and send."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

from registry.models import ApiKey, Tenant

UNKNOWN_KEY = f"ax_{'0' * 8}.{'0' * 32}"


class Clock:
    """Monotonic seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


def make_key(tenant: str = "default", *, scopes: Sequence[str] = ("read",), **fields: Any) -> str:
    """Return a new key of a tenant, which is made if need be."""
    owner, _ = Tenant.objects.get_or_create(slug=tenant, defaults={"name": tenant})
    _, key = ApiKey.objects.create_key(**{"name": "tests", "tenant": owner, "scopes": list(scopes), **fields})
    return str(key)


def stored(key: str) -> ApiKey:
    """Return what is kept of a key."""
    kept: ApiKey = ApiKey.objects.get(prefix=key.partition(".")[0])
    return kept


def bearer(key: str) -> dict[str, str]:
    """Return the headers that carry a key."""
    return {"authorization": f"Bearer {key}"}


@contextmanager
def postgres_away() -> Iterator[None]:
    """Let every connection that this process opens from now on find nobody; those that are open stay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connections.settings["default"], "HOST", "/nowhere")
        patch.setitem(connections.settings["default"], "OPTIONS", {})  # no pool, which would still hold connections
        yield


def elsewhere(function: Callable[[], Any]) -> Any:
    """Call it in a thread of its own, which opens a connection of its own."""

    def call() -> Any:
        try:
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(30)
