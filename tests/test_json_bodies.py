"""Bodies of the API: JSON in UTF-8, and whatever else comes is refused in the one shape of errors."""

import json
import zlib
from typing import Any

import pytest
from django.test import Client

from registry.models import PhysicalGPU

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]

ADDRESS = "/api/v1/physical-gpus"
GOOD = json.dumps({"uuid": "GPU-1", "model": "ü"}, ensure_ascii=False).encode()


def refused(client: Client, body: bytes, content_type: str) -> tuple[int, dict[str, Any]]:
    """Send a body that nobody takes; return the status and the one error."""
    answer = client.generic("POST", ADDRESS, body, content_type=content_type)
    assert answer["Content-Type"] == "application/json"
    assert PhysicalGPU.objects.count() == 0
    (error,) = answer.json()["errors"]
    return answer.status_code, error


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'uuid': 'GPU-1'}",
        b'{"uuid": "GPU-1", "memory_total_gb": NaN}',
        b'{"uuid": "GPU-1", "memory_total_gb": -Infinity}',
        b'{"uuid": "GPU-\xff"}',
        b'{"uuid": "GPU-1"} {}',
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b'{"uuid": "GPU-1", "memory_total_gb": ' + b"1" * 5000 + b"}",
        "{}".encode("utf-16"),
        b'{"uuid": "GPU-1", "\\ud800": 1}',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_no_json_is_a_400(client: Client, body: bytes) -> None:
    status, error = refused(client, body, "application/json")
    assert (status, error["code"], error["attr"]) == (400, "parse_error", None)
    assert len(error["detail"]) < 200


def test_a_character_of_two_halves_is_taken(client: Client) -> None:
    created = client.generic(
        "POST", ADDRESS, b'{"uuid": "GPU-1", "model": "\\ud83d\\ude80"}', content_type="application/json"
    )
    assert (created.status_code, created.json()["model"]) == (201, "\U0001f680")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "latin-1", "utf-16", "zlib", "rot13", "none"])
def test_json_is_utf_8_whatever_charset_is_named(client: Client, charset: str) -> None:
    created = client.generic("POST", ADDRESS, GOOD, content_type=f"application/json; charset={charset}")
    assert (created.status_code, created.json()["model"]) == (201, "ü")


def test_no_charset_inflates_a_body(client: Client) -> None:
    bomb = zlib.compress(b"[" + b" " * 50_000_000)
    status, error = refused(client, bomb, "application/json; charset=zlib")
    assert (status, error["code"]) == (400, "parse_error")


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"],
)
def test_another_type_than_json_is_a_415(client: Client, content_type: str) -> None:
    status, error = refused(client, GOOD, content_type)
    assert (status, error["code"]) == (415, "unsupported_media_type")
