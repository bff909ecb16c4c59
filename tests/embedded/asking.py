"""Asking the embedded ClickHouse with no client library in between, and asking after processes."""

import http.client
from collections.abc import Mapping
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlencode

import psutil  # type: ignore[import-untyped]  # it ships no types
from django.conf import settings


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    """With names in lower case."""
    body: bytes


def ask(
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    port: int | None = None,
    **parameters: str,
) -> Reply:
    """Send one request, with ``parameters`` in its URL."""
    url = f"{path}?{urlencode(parameters)}" if parameters else path
    with closing(http.client.HTTPConnection("127.0.0.1", port or settings.CLICKHOUSE_PORT, timeout=30)) as connection:
        connection.request(method, url, body, dict(headers or {}))
        response = connection.getresponse()
        content = response.read()
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, content)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be waited for does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
