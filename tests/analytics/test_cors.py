"""A page of another origin may read the API, and without a key change something, where the setting names it."""

import pytest
from django.test import Client
from pytest_django import Settings

from registry.models import PhysicalGPU
from tests.keys import bearer, make_key

DASHBOARD = "https://dashboard.example"
CARDS = "/api/v1/physical-gpus"
CARD = {"uuid": "GPU-1"}
# Of Django's test client: the page would be of http://testserver.
FOREIGN = [DASHBOARD, "https://testserver", "http://testserver:8000", "http://testserver.evil.example", "null", ""]


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


@pytest.mark.django_db
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_origin_changes_nothing_without_a_key(client: Client, origin: str) -> None:
    PhysicalGPU.objects.all().delete()
    page = {"origin": origin}
    answer = client.post(CARDS, CARD, content_type="application/json", headers=page)
    assert answer.status_code == 403
    (error,) = answer.json()["errors"]
    assert (error["code"], "AXONIZE_CORS_ORIGINS" in error["detail"]) == ("permission_denied", True)
    for method in (client.put, client.patch, client.delete):
        for address in (f"{CARDS}/GPU-1", f"/api/v1/traces/{'0' * 32}"):
            assert method(address, headers=page).status_code == 403
    assert PhysicalGPU.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize("origin", ["http://testserver", None])
def test_a_page_of_this_server_and_a_program_change_what_they_like(client: Client, origin: str | None) -> None:
    page = {} if origin is None else {"origin": origin}
    assert client.post(CARDS, CARD, content_type="application/json", headers=page).status_code == 201
    assert client.delete(f"{CARDS}/GPU-1", headers=page).status_code == 204


@pytest.mark.django_db
@pytest.mark.usefixtures("allowed", "queue")
def test_a_page_of_a_named_origin_changes_what_it_likes(client: Client) -> None:
    page = {"origin": DASHBOARD}
    asked = client.options(CARDS, headers=page | {"access-control-request-method": "DELETE"})
    assert "DELETE" in asked["Access-Control-Allow-Methods"]
    assert client.post(CARDS, CARD, content_type="application/json", headers=page).status_code == 201
    assert client.post(CARDS, CARD, content_type="application/json", headers={"origin": "null"}).status_code == 403


@pytest.mark.django_db
@pytest.mark.usefixtures("queue")
def test_whoever_has_a_key_has_it_from_no_page(client: Client) -> None:
    key = bearer(make_key(scopes=["admin"]))
    sent = client.post(CARDS, CARD, content_type="application/json", headers=key | {"origin": DASHBOARD})
    assert sent.status_code == 201


@pytest.mark.django_db
@pytest.mark.usefixtures("queue")
def test_no_form_of_a_page_changes_anything(client: Client) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert client.post(CARDS, '{"uuid": "GPU-1"}', content_type=content_type).status_code == 415
    assert PhysicalGPU.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.usefixtures("queue")
def test_a_name_that_was_made_to_lead_here_is_no_origin_of_ours(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    page = {"origin": "http://evil.example", "host": "evil.example"}
    assert client.post(CARDS, CARD, content_type="application/json", headers=page).status_code == 400
    assert PhysicalGPU.objects.count() == 0
