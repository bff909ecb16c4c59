"""What is there when a test of the registry's endpoints begins."""

from typing import Any

import pytest

from tests.analytics.conftest import Write
from tests.analytics.registry.records import CARD, CARDS, CONTEXT, CONTEXTS, RESOURCES, SLICE


@pytest.fixture
def card(write: Write) -> dict[str, Any]:
    return write("post", CARDS, CARD)


@pytest.fixture
def resource(write: Write, card: dict[str, Any]) -> dict[str, Any]:
    del card
    return write("post", RESOURCES, SLICE)


@pytest.fixture
def context(write: Write, resource: dict[str, Any]) -> dict[str, Any]:
    del resource
    return write("post", CONTEXTS, CONTEXT)
