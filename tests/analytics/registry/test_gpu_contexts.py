"""GET /gpus/{resource_uuid}/contexts: who held a resource, and who at a moment; and which one a pod held then."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from registry.models import EndedBy, ResourceContext, Tenant
from tests.analytics.conftest import Get, Write, wrong
from tests.analytics.registry.records import CONTEXTS, RESOURCES, T0, T1, T2

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]

WHO = "/gpus/MIG-1/contexts"


@pytest.fixture
def holders(write: Write) -> list[dict[str, Any]]:
    """Have MIG-1 held by one pod after the other, and MIG-2 by a third all the time."""
    write("post", RESOURCES, uuid="MIG-1")
    write("post", RESOURCES, uuid="MIG-2")
    held = {"resource_uuid": "MIG-1", "user_label": "cuda:0"}
    return [
        write("post", CONTEXTS, held | {"pod": "a", "attached_at": T0, "detached_at": T1}),
        write("post", CONTEXTS, held | {"pod": "b", "attached_at": T1, "process_id": 7}),
        write("post", CONTEXTS, resource_uuid="MIG-2", user_label="cuda:0", pod="c", attached_at=T0),
    ]


def pods(answer: dict[str, Any]) -> list[str]:
    assert answer["total"] == len(answer["contexts"])
    return [each["pod"] for each in answer["contexts"]]


def test_who_held_it_is_listed_the_last_first(get: Get, holders: list[dict[str, Any]]) -> None:
    answer = get(WHO)
    assert answer == {"contexts": [holders[1], holders[0]], "total": 2, "limit": 50, "offset": 0, "next": None}
    page = get(WHO, limit=1)
    assert [each["pod"] for each in page["contexts"]] == ["b"]
    assert [each["pod"] for each in get(WHO, limit=1, cursor=page["next"])["contexts"]] == ["a"]


@pytest.mark.usefixtures("holders")
@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("2026-02-07T09:59:59Z", []),
        (T0, ["a"]),
        ("2026-02-07T10:00:59.999999Z", ["a"]),
        (T1, ["b"]),
        ("2026-02-07T12:02:00+02:00", ["b"]),
    ],
)
def test_who_held_it_at_a_moment_is_told(get: Get, at: str, found: list[str]) -> None:
    assert pods(get(WHO, at=at)) == found


def test_who_fell_silent_held_it_at_its_last_sighting_still(get: Get, holders: list[dict[str, Any]]) -> None:
    ResourceContext.objects.filter(pk=holders[0]["id"]).update(ended_by=EndedBy.SILENCE, last_seen=T1)
    assert pods(get(WHO, at=T1)) == ["b", "a"]
    assert get(WHO, at=T1)["contexts"][1]["ended_by"] == "silence"


@pytest.mark.usefixtures("holders")
def test_which_slice_was_cuda_0_of_that_pod_then(get: Get) -> None:
    for filters, found in (
        ({"user_label": "cuda:0", "pod": "a", "at": T0}, ["MIG-1"]),
        ({"user_label": "cuda:0", "pod": "c", "at": T2}, ["MIG-2"]),
        ({"process_id": 7, "at": T2}, ["MIG-1"]),
        ({"user_label": "cuda:1", "at": T0}, []),
        ({"pod": "a", "at": T2}, []),
    ):
        assert [each["resource_uuid"] for each in get(CONTEXTS, filters)["resource_contexts"]] == found, filters


@pytest.mark.usefixtures("holders")
def test_an_unknown_one_and_that_of_another_tenant_is_a_404(get: Get) -> None:
    other = Tenant.objects.create(slug="vision-lab", name="Vision Lab")
    other.compute_resources.create(uuid="MIG-theirs")
    for uuid in ("MIG-none", "MIG-theirs", "%00"):
        get(f"/gpus/{uuid}/contexts", status=404)
    assert wrong(get(WHO, at="now", pod="a", status=400)) == {"at", "pod"}


@pytest.mark.usefixtures("holders")
def test_it_takes_three_statements(get: Get, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(3):
        get(WHO)
