"""What every answer of the web process has in common: JSON as DRF writes it, and gzip for who takes it."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils.translation import gettext_lazy
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import Serializer
from rest_framework.utils.serializer_helpers import ReturnDict

from axonize.json_bodies import JSONBodyRenderer


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "a": [1.5, None, True, "ü\x00\u2028</script>"]},
        {"start_time": datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC), "age": timedelta(seconds=90)},
        [Decimal("2.40"), UUID(int=7), gettext_lazy("a card"), 2**63 - 1, -(2**63)],
        ReturnDict({"uuid": "GPU-1"}, serializer=Serializer[None]()),
        {"nothing": {}, "none": []},
    ],
)
def test_the_api_says_in_json_what_drf_would_say(value: Any) -> None:
    assert json.loads(JSONBodyRenderer().render(value)) == json.loads(JSONRenderer().render(value))


def test_an_answer_without_content_is_empty() -> None:
    assert JSONBodyRenderer().render(None) == b""


def test_a_person_may_ask_for_indented_json() -> None:
    assert b'\n    "a": 1' in JSONBodyRenderer().render({"a": 1}, "application/json; indent=4")


@pytest.fixture
def cards(client: Client) -> None:
    for number in range(10):
        added = client.post("/api/v1/physical-gpus", {"uuid": f"GPU-{number}"}, content_type="application/json")
        assert added.status_code == 201


@pytest.mark.django_db
@pytest.mark.usefixtures("cards", "queue")
def test_a_long_answer_is_compressed_for_who_takes_gzip_and_for_nobody_else(client: Client) -> None:
    plain = client.get("/api/v1/physical-gpus")
    packed = client.get("/api/v1/physical-gpus", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain
    assert packed["Content-Encoding"] == "gzip"
    assert int(packed["Content-Length"]) * 4 < len(plain.content)
    assert json.loads(gzip.decompress(packed.content)) == plain.json()
    assert "Accept-Encoding" in plain["Vary"]
    assert "Accept-Encoding" in packed["Vary"]


@pytest.mark.django_db
@pytest.mark.usefixtures("cards", "queue")
def test_who_takes_gzip_can_change_what_it_has_read(client: Client) -> None:
    read = client.get("/api/v1/physical-gpus/GPU-7", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in read
    changed = client.patch(
        "/api/v1/physical-gpus/GPU-7",
        json.dumps({"model": "H200"}),
        content_type="application/json",
        headers={"If-Match": read["ETag"], "Accept-Encoding": "gzip"},
    )
    assert changed.status_code == 200, changed.content
