"""What the tests of the pages share: pages as people read them."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from tests.analytics.pages.hardware import Held, held as held_by
from tests.conftest import Ingest

Part = Callable[..., str]
Read = Callable[..., str]


@pytest.fixture
def read(client: Client) -> Read:
    """Return a page as text: `read("/traces", status="error")`; `part=True` asks as htmx does; its status is `code`."""

    def get(path: str, *, part: bool = False, code: int = 200, **query: Any) -> str:
        answer = client.get(path, query, headers={"hx-request": "true"} if part else {})
        assert answer.status_code == code, answer.content
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        return unescape(answer.content.decode())

    return get


@pytest.fixture
def held(ingest: Ingest) -> Held:
    return held_by(ingest)


@pytest.fixture
def part(client: Client) -> Part:
    """Ask for a page, or a part of it, as htmx does; its status must be `code`."""

    def get(path: str, *, code: int = 200, **query: Any) -> str:
        answer = client.get(path, query, headers={"hx-request": "true"})
        assert answer.status_code == code, answer.content
        return answer.content.decode()

    return get
