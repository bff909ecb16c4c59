"""POST, PUT, PATCH and DELETE of /physical-gpus, /compute-resources and /resource-contexts."""

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from registry.models import ComputeResource, PhysicalGPU, ResourceContext, Tenant
from registry.sync import sync_registry
from tests.analytics.conftest import Get, Write, wrong
from tests.analytics.registry.records import (
    BLANK_CARD,
    BLANK_RESOURCE,
    CARD,
    CARDS,
    CONTEXT,
    CONTEXTS,
    RESOURCES,
    SHOWN_CARD,
    SHOWN_SLICE,
    T0,
    T1,
    UNSEEN,
    UNSEEN_CARD,
    address_of,
    another,
    body_of,
)
from tests.conftest import Ingest
from tests.otlp import gpu, request, span

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]


def test_what_was_created_is_answered_and_read(
    card: dict[str, Any], resource: dict[str, Any], context: dict[str, Any], get: Get
) -> None:
    assert card == get(f"{CARDS}/GPU-5f2c1a9e") == SHOWN_CARD
    assert resource == get(f"{RESOURCES}/MIG-8b1f4c52") == SHOWN_SLICE
    number = context["id"]
    shown = CONTEXT | {"id": number, "last_seen": None, "ended_by": "operator"}
    assert context == get(f"{CONTEXTS}/{number}") == shown


def test_the_answer_to_a_creation_says_where_it_is(client: Client, resource: dict[str, Any]) -> None:
    del resource
    for address, body in ((RESOURCES, {"uuid": "MIG-GPU-1/7/0 ü"}), (CONTEXTS, CONTEXT)):
        created = client.post(f"/api/v1{address}", body, content_type="application/json")
        assert client.get(created["Location"]).json() == created.json()


def test_what_a_body_leaves_out_is_blank(write: Write) -> None:
    assert write("post", CARDS, uuid="GPU-1") == {"uuid": "GPU-1"} | BLANK_CARD | UNSEEN_CARD
    assert write("post", RESOURCES, uuid="MIG-1") == {"uuid": "MIG-1"} | BLANK_RESOURCE | UNSEEN
    created = write("post", CONTEXTS, resource_uuid="MIG-1", attached_at=T0)
    held: dict[str, Any] = {
        "user_label": "",
        "hostname": "",
        "pod": "",
        "process_id": None,
        "labels": {},
        "detached_at": None,
        "ended_by": "",
    }
    assert created == {"id": created["id"], "resource_uuid": "MIG-1", "attached_at": T0, "last_seen": None} | held


def test_a_replacement_blanks_what_it_leaves_out_and_a_change_does_not(write: Write, context: dict[str, Any]) -> None:
    for address, key, fields in (
        (f"{CARDS}/GPU-5f2c1a9e", {"uuid": "GPU-5f2c1a9e"}, {"node_id": "rack-7"}),
        (f"{RESOURCES}/MIG-8b1f4c52", {"uuid": "MIG-8b1f4c52"}, {"resource_type": "mig_2g.20gb"}),
        (
            f"{CONTEXTS}/{context['id']}",
            {"resource_uuid": "MIG-8b1f4c52", "attached_at": T0},
            {"labels": {"team": "ads"}},
        ),
    ):
        before = write("patch", address, {})
        changed = write("patch", address, fields)
        assert {name for name in changed if changed[name] != before[name]} - FOLLOWING == fields.keys()
        replaced = write("put", address, key | fields)
        assert {name for name in replaced if replaced[name]} - FOLLOWING == key.keys() | fields.keys()


# What follows from other fields.
FOLLOWING = {"id", "set", "mig_profile", "sm_share", "share", "cost_per_hour_usd", "memory_total_gb"}


def test_what_was_read_can_be_sent_back(write: Write, ingest: Ingest, get: Get) -> None:
    seen = gpu(0, resource_uuid="MIG-1", physical_uuid="GPU-1", model="H100", user_label="cuda:0")
    ingest(request(span(attributes=seen), resource={"host.name": "h"}))
    sync_registry()
    (number,) = ResourceContext.objects.values_list("id", flat=True)
    for address in (f"{CARDS}/GPU-1", f"{RESOURCES}/MIG-1", f"{CONTEXTS}/{number}"):
        read = get(address)
        assert read["last_seen"]
        assert write("put", address, read) == read


def test_what_spans_say_is_not_for_operations_to_write(write: Write, card: dict[str, Any]) -> None:
    told = {"first_seen": T0, "last_seen": T1}
    assert write("patch", f"{CARDS}/GPU-5f2c1a9e", told) == card
    seen = {"seen_model": "x", "seen_vendor": "x", "seen_node_id": "x"} | told
    assert write("post", RESOURCES, {"uuid": "MIG-1"} | seen)["seen_model"] == ""


def test_a_deleted_card_leaves_its_slices(write: Write, get: Get, resource: dict[str, Any]) -> None:
    assert write("delete", f"{CARDS}/GPU-5f2c1a9e") == {}
    assert get(f"{RESOURCES}/MIG-8b1f4c52") == resource | {
        "physical_uuid": None,
        "set": ["resource_type", "memory_total_gb"],
        "share": None,
        "cost_per_hour_usd": None,
    }
    get(f"{CARDS}/GPU-5f2c1a9e", status=404)
    write("delete", f"{CARDS}/GPU-5f2c1a9e", status=404)


def test_a_deleted_resource_takes_its_contexts_along(write: Write, get: Get, context: dict[str, Any]) -> None:
    write("delete", f"{RESOURCES}/MIG-8b1f4c52")
    get(f"{CONTEXTS}/{context['id']}", status=404)
    assert get(CONTEXTS)["total"] == 0


def test_a_deleted_context_is_gone_alone(write: Write, get: Get, context: dict[str, Any]) -> None:
    write("delete", f"{CONTEXTS}/{context['id']}")
    assert (get(CONTEXTS)["total"], get(RESOURCES)["total"]) == (0, 1)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [(2, 2.0), ("2.850000", 2.85), (0, 0.0), (1e-6, 1e-6), ("999999999999.999999", 1e12), (None, None)],
)
def test_a_price_is_a_number_or_the_same_as_a_text(write: Write, get: Get, sent: Any, shown: float | None) -> None:
    assert write("post", CARDS, uuid="GPU-1", cost_per_hour_usd=sent)["cost_per_hour_usd"] == shown
    assert get(f"{CARDS}/GPU-1")["cost_per_hour_usd"] == shown


def test_a_price_loses_nothing_on_the_way(write: Write) -> None:
    write("post", CARDS, uuid="GPU-1", cost_per_hour_usd="123456789012.123456")
    assert str(PhysicalGPU.objects.get().cost_per_hour_usd) == "123456789012.123456"


def test_times_come_with_any_offset_and_are_kept_to_the_microsecond(write: Write, get: Get, context: Any) -> None:
    address = f"{CONTEXTS}/{context['id']}"
    fields = {"attached_at": "2026-02-07T12:00:00.123456789+02:00", "detached_at": "2026-02-07T10:00:00.5Z"}
    changed = write("patch", address, fields)
    assert changed["attached_at"] == "2026-02-07T10:00:00.123456000Z"
    assert changed["detached_at"] == "2026-02-07T10:00:00.500000000Z"
    assert get(address) == changed


def test_blanks_at_the_ends_of_a_text_are_cut_off(write: Write) -> None:
    assert write("post", CARDS, uuid=" GPU-1\n", model=" H100 ")["model"] == "H100"
    assert PhysicalGPU.objects.get().uuid == "GPU-1"


@pytest.mark.parametrize(
    "address",
    [
        *(f"{kind}/{key}" for kind in (CARDS, RESOURCES) for key in ("none", "%00", "%F0%9F%92%A5", "x" * 300, "a/b")),
        *(f"{CONTEXTS}/{key}" for key in ("0", "9" * 19, "9" * 20, "x", "-1", "1_0", "%00", "%EF%BC%91")),
    ],
)
def test_an_unknown_one_is_a_404(get: Get, write: Write, address: str) -> None:
    for answer in (
        get(address, status=404),
        write("put", address, {}, status=404),
        write("patch", address, {}, status=404),
        write("delete", address, status=404),
    ):
        assert answer["errors"][0]["detail"].startswith("There is no such ")


def test_parameters_are_refused(get: Get, write: Write, context: dict[str, Any]) -> None:
    for kind in (CARDS, RESOURCES, CONTEXTS):
        address = address_of(kind, context)
        assert wrong(write("post", f"{kind}?x=1", {}, status=400)) == {"x"}
        assert wrong(get(address, x=1, status=400)) == {"x"}
        for method in ("put", "patch", "delete"):
            assert wrong(write(method, f"{address}?x=1", {}, status=400)) == {"x"}


def test_what_an_address_takes_can_be_asked(client: Client, context: dict[str, Any]) -> None:
    for kind in (CARDS, RESOURCES, CONTEXTS):
        for address, methods in (
            (kind, {"GET", "POST", "HEAD", "OPTIONS"}),
            (address_of(kind, context), {"GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}),
            (f"{kind}/0", {"GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}),
        ):
            answer = client.options(f"/api/v1{address}")
            assert answer.status_code == 200
            assert set(answer["Allow"].split(", ")) == methods


def test_whose_first_object_it_is_need_not_be_known_before(write: Write) -> None:
    Tenant.objects.all().delete()
    write("post", CARDS, CARD)
    assert PhysicalGPU.objects.get().tenant.slug == "default"


def test_an_edit_reaches_the_queries_of_clickhouse_with_the_next_synchronisation(
    ingest: Ingest, write: Write, get: Get, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    ingest(request(span(trace_id=b"\x01" * 16, attributes=gpu(0, resource_uuid="MIG-8b1f4c52"))))
    sync_registry()

    def attribution() -> tuple[str | None, str | None]:
        (root,) = get(f"/traces/{'01' * 16}")["spans"]
        (one,) = root["gpus"]
        return one["physical_uuid"], one["node_id"]

    assert attribution() == (None, None)
    for method, address, fields, expected in (
        ("post", CARDS, CARD, (None, None)),
        ("patch", f"{RESOURCES}/MIG-8b1f4c52", {"physical_uuid": CARD["uuid"]}, (CARD["uuid"], "dgx-h100-02")),
        ("patch", f"{CARDS}/{CARD['uuid']}", {"node_id": "rack-7"}, (CARD["uuid"], "rack-7")),
        ("put", f"{CARDS}/{CARD['uuid']}", CARD, (CARD["uuid"], "dgx-h100-02")),
        ("delete", f"{CARDS}/{CARD['uuid']}", {}, (None, None)),
    ):
        with django_capture_on_commit_callbacks(execute=True):
            write(method, address, fields)
        sync_registry()
        assert attribution() == expected, (method, address)


def test_a_cache_that_is_away_fails_no_edit(
    card: dict[str, Any],
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    del card
    monkeypatch.setattr(cache, "delete", lambda _key: 1 / 0)
    with django_capture_on_commit_callbacks(execute=True):
        write("patch", f"{CARDS}/GPU-5f2c1a9e", model="H200")
    assert PhysicalGPU.objects.get().model == "H200"


@pytest.mark.parametrize(
    ("method", "kind", "statements"),
    [
        # A savepoint is two of them. A tenant, a node, a card or a resource is looked up; what is changed is locked.
        # Each object that is written has its history, and is read again, for PostgreSQL computes what counts. After a
        # context, what follows for the others of its resource is concluded. Two columns of slices refer to a card.
        ("post", CARDS, 7),
        ("post", RESOURCES, 7),
        ("post", CONTEXTS, 7),
        ("get", CARDS, 1),
        ("get", RESOURCES, 1),
        ("get", CONTEXTS, 1),
        ("patch", CARDS, 7),
        ("patch", RESOURCES, 7),
        ("patch", CONTEXTS, 8),
        ("delete", CARDS, 7),
        ("delete", RESOURCES, 8),
        ("delete", CONTEXTS, 6),
    ],
)
def test_no_request_needs_more_statements_than_this(
    client: Client,
    context: dict[str, Any],
    queries: list[str],
    django_assert_num_queries: DjangoAssertNumQueries,
    method: str,
    kind: str,
    statements: int,
) -> None:
    body = another(kind) if method == "post" else body_of(kind)
    address = f"/api/v1{kind if method == 'post' else address_of(kind, context)}"
    for number in range(3):
        ComputeResource.objects.create(
            tenant=Tenant.objects.get(), uuid=f"MIG-{number}", set_physical=PhysicalGPU.objects.get()
        )
    with django_assert_num_queries(statements):
        answer = client.generic(method.upper(), address, json.dumps(body), content_type="application/json")
    assert answer.status_code < 300
    assert queries == [], "of ClickHouse"
