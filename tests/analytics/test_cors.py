"""A dashboard of another origin may read the API where the setting names it."""

import pytest
from django.test import Client
from pytest_django import Settings

DASHBOARD = "https://dashboard.example"


@pytest.fixture
def allowed(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [DASHBOARD]


@pytest.mark.usefixtures("allowed")
def test_a_named_origin_may_read_answers_and_errors(client: Client) -> None:
    answer = client.get("/api/v1/traces?limit=0", headers={"origin": DASHBOARD})
    assert answer.status_code == 400
    assert answer["Access-Control-Allow-Origin"] == DASHBOARD


@pytest.mark.usefixtures("allowed")
def test_a_named_origin_may_ask_before_it_asks(client: Client) -> None:
    asked = {"origin": DASHBOARD, "access-control-request-method": "GET"}
    answer = client.options("/api/v1/traces", headers=asked)
    assert answer.status_code == 200
    assert "GET" in answer["Access-Control-Allow-Methods"]


@pytest.mark.usefixtures("allowed")
def test_no_other_origin_and_no_other_address_is_opened(client: Client) -> None:
    for address, origin in (("/api/v1/traces?limit=0", "https://evil.example"), ("/healthz", DASHBOARD)):
        assert "Access-Control-Allow-Origin" not in client.get(address, headers={"origin": origin})


def test_by_default_no_origin_is(client: Client) -> None:
    answer = client.get("/api/v1/traces?limit=0", headers={"origin": DASHBOARD})
    assert "Access-Control-Allow-Origin" not in answer
