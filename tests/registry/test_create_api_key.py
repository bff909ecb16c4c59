"""The commands for API keys: create_api_key, revoke_api_key, list_api_keys."""

import argparse
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from registry.keys import KeyRefused, Keys
from registry.management.commands.create_api_key import moment
from registry.models import ApiKey, Tenant
from tests.keys import elsewhere, make_key, postgres_away, stored

pytestmark = pytest.mark.django_db


def manage(*words: str) -> tuple[str, str]:
    """Run a command; return what it wrote to stdout and to stderr."""
    out, err = StringIO(), StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def create(*words: str) -> tuple[str, str]:
    return manage("create_api_key", *words)


@pytest.fixture(autouse=True)
def default_tenant() -> Tenant:
    return Tenant.objects.get_or_create(slug="default", defaults={"name": "default"})[0]


def test_the_key_alone_goes_to_stdout_and_works() -> None:
    out, err = create("collector of rack 3", "--scope", "read", "--scope", "ingest")
    key = out.strip()
    assert out == f"{key}\n"
    identity = Keys().identify(key)
    assert (identity.tenant, set(identity.scopes)) == ("default", {"ingest", "read"})
    assert stored(key).name == "collector of rack 3"
    assert f"API key {key[:11]} of the tenant default, for ingest and read, for good." in err
    assert key not in err


def test_an_unknown_tenant_is_one_sentence_that_names_the_known_ones() -> None:
    Tenant.objects.create(slug="vision-lab", name="Vision lab")
    with pytest.raises(CommandError) as refusal:
        create("x", "--tenant", "vison-lab", "--scope", "read")
    assert str(refusal.value) == (
        "There is no tenant 'vison-lab'. There are: default, vision-lab. Name one of them, or add --create-tenant."
    )


def test_a_tenant_is_made_where_one_asks_for_it() -> None:
    out, _ = create("x", "--tenant", "vision-lab", "--scope", "ingest", "--create-tenant")
    again, _ = create("y", "--tenant", "vision-lab", "--scope", "ingest", "--create-tenant")
    assert {Keys().identify(key.strip()).tenant for key in (out, again)} == {"vision-lab"}
    assert Tenant.objects.filter(slug="vision-lab").count() == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["x", "--tenant", "not a slug", "--create-tenant"], "'not a slug' can't be a tenant's slug"),
        (["x", "--tenant", "", "--create-tenant"], "'' can't be a tenant's slug"),
        (["", "--tenant", "new", "--create-tenant"], "This key can't be made"),
        (["x" * 51], "at most 50 characters"),
    ],
)
def test_what_can_be_no_key_or_tenant_is_told_and_nothing_is_made(words: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        create(*words, "--scope", "read")
    assert not ApiKey.objects.exists()
    assert [tenant.slug for tenant in Tenant.objects.all()] == ["default"]


@pytest.mark.parametrize("words", [[], ["--scope", "write"], ["--scope", "read", "--expires", "soon"]])
def test_a_wrong_option_is_told(words: list[str]) -> None:
    with pytest.raises(CommandError, match=r"--scope|--expires"):
        create("x", *words)


def test_a_key_may_end() -> None:
    before = datetime.now(UTC)
    out, err = create("x", "--scope", "read", "--expires", "90d")
    ends = stored(out.strip()).expiry_date
    assert ends is not None
    assert timedelta(days=90) <= ends - before < timedelta(days=90, minutes=1)
    assert f"until {ends:%Y-%m-%d %H:%M} UTC" in err


def test_the_day_that_a_key_ends_is_its_last() -> None:
    assert moment("2099-01-31") == datetime(2099, 2, 1, tzinfo=UTC)
    assert timedelta(hours=11) < moment("12h") - datetime.now(UTC) <= timedelta(hours=12)


@pytest.mark.parametrize(
    "text", ["", "90", "d", "-1d", "1.5d", "90 d", "2099-02-30", "9999-12-31", "9" * 30 + "d", "٣d"]
)
def test_no_other_text_is_a_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a time like 90d"):
        moment(text)


@pytest.mark.parametrize("text", ["0d", "2020-01-31"])
def test_a_key_that_is_over_before_it_begins_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is over already"):
        moment(text)


@pytest.mark.parametrize("named", [lambda key: key[:11], lambda key: key], ids=["prefix", "whole key"])
def test_a_key_is_revoked_by_its_prefix(named: Any) -> None:
    key, other = make_key(), make_key()
    assert f"{key[:11]} is revoked" in manage("revoke_api_key", named(key))[0]
    with pytest.raises(KeyRefused):
        Keys().identify(key)
    assert Keys().identify(other)
    out, _ = manage("revoke_api_key", named(key))
    assert out == f"API key {key[:11]} was revoked before.\n"


def test_to_revoke_a_key_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(CommandError, match="There is no API key ax_nothing"):
        manage("revoke_api_key", "ax_nothing")


def test_the_list_tells_all_but_the_keys() -> None:
    first = make_key("alpha", name="first", scopes=["ingest", "read"])
    second = make_key("beta", name="second", expiry_date=datetime(2020, 1, 31, tzinfo=UTC))
    manage("revoke_api_key", first)
    head, *rows = manage("list_api_keys")[0].splitlines()
    assert head.split("  ")[0] == "PREFIX"
    assert [row.split() for row in rows] == [
        [second[:11], "beta", "read", "expired", "2020-01-31", "00:00", "never", "second"],
        [first[:11], "alpha", "ingest,read", "revoked", "never", "never", "first"],
    ]
    assert len(manage("list_api_keys", "--tenant", "alpha")[0].splitlines()) == 2


@pytest.mark.parametrize(
    "words", [["create_api_key", "x", "--scope", "read"], ["list_api_keys"], ["revoke_api_key", "ax_"]]
)
def test_without_postgresql_a_command_says_so_in_a_sentence(words: list[str]) -> None:
    with postgres_away(), pytest.raises(CommandError, match=r"^PostgreSQL does not answer\. Start the server"):
        elsewhere(lambda: manage(*words))
