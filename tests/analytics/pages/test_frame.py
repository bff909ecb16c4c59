"""What all pages have in common: who may look, what a URL says, and what is told when something is wrong."""

import re
import time
from html import unescape

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from registry.models import Tenant
from tests.analytics.pages.conftest import Read
from tests.conftest import Ingest
from tests.otlp import request, span

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clickhouse")]

REMOTE = "192.0.2.7"
PAGES = ["/", "/traces", "/gpus", "/overview/numbers"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_open_on_this_machine_and_asks_others_to_log_in(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200
    sent_on = client.get(path, {"range": "6h"}, REMOTE_ADDR=REMOTE)
    assert (sent_on.status_code, sent_on["Location"]) == (302, f"/admin/login/?next={path}%3Frange%3D6h")
    client.force_login(User.objects.create_user("someone"))
    assert client.get(path, REMOTE_ADDR=REMOTE).status_code == 302
    client.force_login(User.objects.create_user("ops", is_staff=True))
    assert client.get(path, REMOTE_ADDR=REMOTE).status_code == 200


def test_a_part_whose_session_has_ended_has_the_whole_page_asked_again(client: Client) -> None:
    answer = client.get("/overview/numbers", headers={"hx-request": "true"}, REMOTE_ADDR=REMOTE)
    assert (answer.status_code, answer["HX-Refresh"]) == (200, "true")


def test_nobody_writes_to_a_page(client: Client) -> None:
    assert client.post("/").status_code == 405


def test_staff_see_each_tenant_and_who_is_not_sees_the_default_one(client: Client, ingest: Ingest) -> None:
    Tenant.objects.create(slug="vision-lab", name="Vision lab")
    ingest(request(span("theirs")), tenant="vision-lab")
    ingest(request(span("ours")))
    assert client.get("/overview/slowest", {"tenant": "vision-lab"}).status_code == 302

    client.force_login(User.objects.create_user("ops", is_staff=True))
    assert "theirs" in client.get("/overview/slowest", {"tenant": "vision-lab"}).content.decode()
    assert "ours" in client.get("/overview/slowest").content.decode()
    page = client.get("/", {"tenant": "vision-lab"}).content.decode()
    assert "<option selected>vision-lab</option>" in page
    assert 'href="/traces?tenant=vision-lab"' in page, "the other pages show the same tenant"

    unknown = client.get("/", {"tenant": "nobody"})
    assert unknown.status_code == 404
    assert "There is no such tenant." in unknown.content.decode()


def test_times_are_shown_in_the_chosen_zone_which_the_page_names(client: Client, read: Read, ingest: Ingest) -> None:
    noon_ns = time.time_ns() // (86_400 * 10**9) * 86_400 * 10**9 - 12 * 3600 * 10**9
    ingest(request(span("at noon", start_ns=noon_ns)))
    assert ", 12:00:00</time>" in read("/overview/slowest", range="3d")
    client.cookies["zone"] = "Asia/Kolkata"
    assert ", 17:30:00</time>" in read("/overview/slowest", range="3d")
    assert re.search(r"<option value=\"Asia/Kolkata\" selected>", read("/"))
    client.cookies["zone"] = "../../etc/passwd"
    assert ", 12:00:00</time>" in read("/overview/slowest", range="3d")


def test_a_time_without_offset_is_of_the_viewers_zone_and_the_url_says_so_from_then_on(client: Client) -> None:
    client.cookies["zone"] = "Asia/Kolkata"
    times = {"start": "2026-02-07T17:30", "end": "2026-02-07T18:30:15", "service_name": ""}
    sent_on = client.get("/", times)
    assert sent_on.status_code == 302
    assert unescape(sent_on["Location"]) == (
        "/?start=2026-02-07T12%3A00%3A00.000000000Z&end=2026-02-07T13%3A00%3A15.000000000Z"
    )
    assert 'value="2026-02-07T17:30:00"' in client.get(sent_on["Location"]).content.decode()


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"color": "blue"}, "There is no such parameter."),
        ({"range": "2h"}, '"2h" is not a valid choice.'),
        ({"range": "1h", "start": "2026-02-07T10:00:00Z"}, "Give either a range, or a start and an end."),
        ({"start": "2026-02-30T10:00"}, "Give an RFC 3339 time with its offset"),
        ({"start": "2200-01-01T00:00:00Z"}, "Give a start that is not in the future"),
        ({"start": "2026-02-07T10:00:00Z", "end": "2026-02-07T09:00:00Z"}, "Give an end that is not below start."),
    ],
)
def test_a_wrong_address_is_told_with_the_way_on(read: Read, query: dict[str, str], wrong: str) -> None:
    page = read("/", code=400, **query, model_name="llama")
    assert wrong in page
    without = re.search(r'href="(/\?[^"]*)">Open the page without', page)
    assert without
    assert "model_name=llama" in without[1]
    assert not set(query) & set(re.findall(r"[?&](\w+)=", without[1])) or len(query) > 1


def test_a_part_tells_what_is_wrong_without_a_page_around_it(read: Read) -> None:
    part = read("/overview/numbers", part=True, code=400, range="2h")
    assert "is not a valid choice" in part
    assert "<html" not in part


def test_an_engine_that_is_away_is_named_and_nothing_it_said(
    read: Read, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ConnectionError("secret host name")

    monkeypatch.setattr(clickhouse, "query", refuse)
    for path, part in (("/", False), ("/overview/numbers", True)):
        page = read(path, part=part, code=503)
        assert "ClickHouse does not answer. Try again in a few seconds." in page
        assert "secret" not in page


def test_pages_need_nothing_from_elsewhere_and_no_code_or_style_in_them(client: Client) -> None:
    answer = client.get("/")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    page = answer.content.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", page)
    assert not re.findall(r'(?:src|href)="https?:', page)
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        file = client.get(address)
        file.close()
        assert file.status_code == 200, address


def test_what_the_browser_keeps_of_a_page_is_nothing(client: Client) -> None:
    assert "no-store" in client.get("/")["Cache-Control"]


def test_the_theme_is_the_one_chosen(client: Client, read: Read) -> None:
    assert "data-theme" not in read("/")
    client.cookies["theme"] = "dark"
    assert 'data-theme="dark"' in read("/")
    client.cookies["theme"] = '"><script>'
    assert "data-theme" not in read("/")


def test_who_needs_no_session_costs_no_statement(
    client: Client, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        client.get("/")
    settings.REQUIRE_API_KEY = True
    with django_assert_num_queries(0):
        assert client.get("/").status_code == 302
