"""API keys in the Django admin: made and shown once, found, revoked, never moved to another tenant."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from registry.keys import KeyRefused, Keys
from registry.models import ApiKey, Tenant
from tests.keys import make_key, stored

pytestmark = pytest.mark.django_db

LIST = "admin:registry_apikey_changelist"
KEY = re.compile(r"ax_[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}")


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ops"))
    return client


@pytest.fixture
def lab() -> Tenant:
    return Tenant.objects.create(slug="vision-lab", name="Vision lab")


def page(client: Client, address: str, **query: str) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def change_address(key: str) -> str:
    return reverse("admin:registry_apikey_change", args=[stored(key).pk])


def form(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    return {"tenant": tenant.pk, "name": "collector", "scopes": ["ingest"], **fields}


def test_a_new_key_is_shown_once_and_opens_what_it_is_for(staff: Client, lab: Tenant) -> None:
    fields = form(
        lab,
        scopes=["ingest", "read"],
        expiry_date_0="2099-01-31",
        expiry_date_1="00:00",
        ingest_spans_per_second="500",
        requests_per_minute="60",
    )
    answer = staff.post(reverse("admin:registry_apikey_add"), fields, follow=True)
    (key,) = set(KEY.findall(answer.content.decode()))
    identity = Keys().identify(key)
    assert (identity.tenant, set(identity.scopes)) == ("vision-lab", {"ingest", "read"})
    assert (identity.ingest_spans_per_second, identity.requests_per_minute) == (500, 60)
    assert stored(key).expiry_date == datetime(2099, 1, 31, tzinfo=UTC)

    secret = key.partition(".")[2]
    for address in (reverse(LIST), change_address(key), reverse("admin:index")):
        assert secret not in page(staff, address)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"scopes": []}, "This field is required"),
        ({"scopes": ["write"]}, "Select a valid choice"),
        ({"name": ""}, "This field is required"),
        ({"requests_per_minute": "-1"}, "greater than or equal to 0"),
    ],
)
def test_what_can_be_no_key_is_told_in_the_form(
    staff: Client, lab: Tenant, fields: dict[str, Any], complaint: str
) -> None:
    answer = staff.post(reverse("admin:registry_apikey_add"), form(lab, **fields))
    assert answer.status_code == 200
    assert complaint in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_a_key_can_be_renamed_and_limited_but_stays_with_its_tenant(staff: Client, lab: Tenant) -> None:
    key = make_key("default", name="old name", scopes=["ingest"])
    fields = form(lab, name="new name", scopes=["read"], requests_per_minute="5", revoked="on", prefix="ax_other")
    assert staff.post(change_address(key), fields).status_code == 302
    now = stored(key)
    assert (now.name, now.scopes, now.requests_per_minute) == ("new name", ["read"], 5)
    assert (now.tenant.slug, now.revoked) == ("default", False)
    assert Keys().identify(key).tenant == "default"


def test_saving_a_key_writes_what_was_changed_only(staff: Client, lab: Tenant) -> None:
    key = make_key("vision-lab", name="old name", scopes=["ingest"])
    with CaptureQueriesContext(connection) as captured:
        staff.post(change_address(key), form(lab, name="new name"))
    (update,) = [query["sql"] for query in captured if query["sql"].startswith('UPDATE "registry_apikey"')]
    assert '"name"' in update
    assert not {"revoked", "last_used_at", "hashed_key"} & set(re.findall(r'"(\w+)" =', update.partition("WHERE")[0]))


def test_revoking_is_an_action_and_for_good(staff: Client, lab: Tenant) -> None:
    one, two, other = make_key(), make_key(), make_key()
    chosen = {"action": "revoke", "_selected_action": [stored(key).pk for key in (one, two)]}
    assert "2 keys revoked" in staff.post(reverse(LIST), chosen, follow=True).content.decode()
    keys = Keys()
    for key in (one, two):
        with pytest.raises(KeyRefused):
            keys.identify(key)
    assert keys.identify(other)

    assert staff.post(change_address(one), form(lab, name="again")).status_code == 403
    assert "revoked" in page(staff, change_address(one))
    assert stored(one).revoked


def test_who_may_only_look_at_keys_revokes_none(client: Client) -> None:
    key = make_key()
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_apikey", content_type__app_label="registry"))
    client.force_login(user)
    assert key[:11] in page(client, reverse(LIST))
    client.post(reverse(LIST), {"action": "revoke", "_selected_action": [stored(key).pk]})
    assert client.get(reverse("admin:registry_apikey_add")).status_code == 403
    assert not stored(key).revoked


@pytest.fixture
def known() -> dict[str, str]:
    """Return a key of each state, the expired one of another tenant and for sending."""
    known = {
        "usable": make_key(name="reader of usable"),
        "revoked": make_key(name="reader of revoked"),
        "expired": make_key(
            "vision-lab",
            name="collector",
            scopes=["ingest", "admin"],
            expiry_date=timezone.now() - timedelta(seconds=1),
        ),
    }
    ApiKey.objects.filter(pk=stored(known["revoked"]).pk).revoke()
    return known


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (lambda _: {}, {"usable", "revoked", "expired"}),
        (lambda _: {"state": "usable"}, {"usable"}),
        (lambda _: {"state": "revoked"}, {"revoked"}),
        (lambda _: {"state": "expired"}, {"expired"}),
        (lambda _: {"scope": "admin"}, {"expired"}),
        (lambda _: {"scope": "read"}, {"usable", "revoked"}),
        (lambda _: {"q": "vision-lab"}, {"expired"}),
        (lambda _: {"q": "collector"}, {"expired"}),
        (lambda known: {"q": known["usable"][:11]}, {"usable"}),
        (lambda known: {"tenant__id__exact": str(stored(known["expired"]).tenant_id)}, {"expired"}),
    ],
)
def test_keys_are_found(
    staff: Client, known: dict[str, str], query: Callable[[dict[str, str]], dict[str, str]], found: set[str]
) -> None:
    listed = page(staff, reverse(LIST), **query(known))
    assert {state for state, key in known.items() if f">{key[:11]}<" in listed} == found


def test_the_list_tells_the_state_and_the_scopes_of_each(staff: Client, known: dict[str, str]) -> None:
    listed = page(staff, reverse(LIST))
    for state, key in known.items():
        (row,) = [row for row in listed.split("<tr>") if f">{key[:11]}<" in row]
        assert f">{state}<" in row
        assert ">ingest, admin<" in row or state != "expired"


def test_the_list_takes_as_many_queries_for_many_keys_as_for_few(staff: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(staff, reverse(LIST))
        return len(captured)

    make_key("tenant-0")
    page(staff, reverse(LIST))
    few = queries()
    for number in range(5):
        make_key(f"tenant-{number}")
    assert queries() == few


def test_a_tenant_links_to_its_keys(staff: Client, lab: Tenant) -> None:
    for _ in range(2):
        make_key("vision-lab")
    link = f'<a href="{reverse(LIST)}?tenant__id__exact={lab.pk}">2</a>'
    assert link in page(staff, reverse("admin:registry_tenant_changelist"))
    assert link in page(staff, reverse("admin:registry_tenant_change", args=[lab.pk]))


def test_a_tenant_with_a_key_cannot_be_deleted(staff: Client, lab: Tenant) -> None:
    make_key("vision-lab")
    answer = staff.post(reverse("admin:registry_tenant_delete", args=[lab.pk]), {"post": "yes"})
    assert "would require deleting the following protected" in answer.content.decode()
    assert Tenant.objects.filter(pk=lab.pk).exists()


def test_keys_that_open_nothing_are_not_offered() -> None:
    assert [model.__name__ for model in admin.site._registry if "key" in model.__name__.lower()] == ["ApiKey"]
