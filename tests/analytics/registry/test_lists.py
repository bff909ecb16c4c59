"""GET of /physical-gpus, /compute-resources and /resource-contexts: filtered, ordered and paged."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from registry.models import ComputeResource, PhysicalGPU, ResourceContext
from tests.analytics.conftest import Get, Write, wrong
from tests.analytics.registry.records import CARDS, CONTEXTS, NEVER_SEEN, RESOURCES, T0, T1, T2

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]


@pytest.fixture
def fleet(write: Write) -> None:
    """Register two cards, a slice of each and one of no card, and who held them."""
    write("post", CARDS, uuid="GPU-nv", model="NVIDIA H100 80GB HBM3", vendor="NVIDIA", node_id="dgx-2")
    write("post", CARDS, uuid="GPU-amd", model="MI300X", vendor="AMD", node_id="mi-1", cost_per_hour_usd=1.99)
    write("post", RESOURCES, uuid="MIG-1", physical_uuid="GPU-nv", resource_type="mig_1g.10gb")
    write("post", RESOURCES, uuid="PART-1", physical_uuid="GPU-amd")
    write("post", RESOURCES, uuid="MIG-2")
    held = {"resource_uuid": "MIG-1", "user_label": "cuda:0", "hostname": "host-1", "process_id": 7}
    write("post", CONTEXTS, held | {"attached_at": T0, "detached_at": T1, "labels": {"team": "search", "size": 5}})
    write("post", CONTEXTS, held | {"attached_at": T1, "pod": "vllm-7d9f", "labels": {"team": "ads", "paid": True}})
    other = {"resource_uuid": "PART-1", "user_label": "hip:0", "hostname": "host-2", "process_id": 8}
    write("post", CONTEXTS, other | {"attached_at": T2, "labels": {"team": None, "size": "5"}})


def uuids(answer: dict[str, Any]) -> list[str]:
    (rows,) = (value for value in answer.values() if isinstance(value, list))
    assert answer["total"] == len(rows)
    return [row["uuid"] for row in rows]


def labels(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return who held what, and since when."""
    assert answer["total"] == len(answer["resource_contexts"])
    return [(row["user_label"], row["attached_at"]) for row in answer["resource_contexts"]]


def test_a_list_has_what_one_has(get: Get, write: Write) -> None:
    card = write("post", CARDS, uuid="GPU-1", cost_per_hour_usd="2.85")
    page = {"total": 1, "limit": 50, "offset": 0, "next": None}
    assert get(CARDS) == {"physical_gpus": [card], **page}
    resource = write("post", RESOURCES, uuid="GPU-1", physical_uuid="GPU-1")
    assert get(RESOURCES) == {"compute_resources": [resource], **page}
    context = write("post", CONTEXTS, resource_uuid="GPU-1", attached_at=T0)
    assert get(CONTEXTS) == {"resource_contexts": [context], **page}
    assert card.items() >= NEVER_SEEN.items()


@pytest.mark.usefixtures("fleet")
def test_each_filter_finds_the_card_that_it_speaks_of(get: Get) -> None:
    PhysicalGPU.objects.filter(uuid="GPU-amd").update(last_seen=T1)
    for filters in (
        {"uuid": "GPU-amd"},
        {"node_id": "mi-1"},
        {"model": "MI300X"},
        {"vendor": "AMD"},
        {"seen_since": T1},
        {"q": "gpu-A"},
        {"q": "mi300"},
        {"q": "amd"},
        {"q": "mi-1"},
        {"q": "part"},
        {"vendor": "AMD", "q": "mi"},
    ):
        assert uuids(get(CARDS, filters)) == ["GPU-amd"], filters
    for filters in ({"vendor": "AMD", "node_id": "dgx-2"}, {"model": "MI300"}, {"seen_since": T2}, {"q": "%"}):
        assert uuids(get(CARDS, filters)) == [], filters


@pytest.mark.usefixtures("fleet")
def test_each_filter_finds_the_resource_that_it_speaks_of(get: Get) -> None:
    ComputeResource.objects.filter(uuid="MIG-1").update(last_seen=T1)
    for filters in (
        {"uuid": "MIG-1"},
        {"physical_uuid": "GPU-nv"},
        {"resource_type": "mig_1g.10gb"},
        {"node_id": "dgx-2"},
        {"model": "NVIDIA H100 80GB HBM3"},
        {"label": "cuda:0"},
        {"seen_since": T1},
        {"q": "H100"},
        {"q": "host-1"},
    ):
        assert uuids(get(RESOURCES, filters)) == ["MIG-1"], filters
    assert uuids(get(RESOURCES, vendor="AMD")) == ["PART-1"]
    assert uuids(get(RESOURCES, resource_type="mig")) == [], "which nobody said of any"


@pytest.mark.usefixtures("fleet")
def test_each_filter_finds_the_context_that_it_speaks_of(get: Get) -> None:
    ResourceContext.objects.filter(attached_at=T1).update(last_seen=T2)
    first, second, other = ("cuda:0", T0), ("cuda:0", T1), ("hip:0", T2)
    for filters, found in (
        ({"resource_uuid": "MIG-1"}, [second, first]),
        ({"physical_uuid": "GPU-amd"}, [other]),
        ({"label": "hip:0"}, [other]),
        ({"hostname": "host-1"}, [second, first]),
        ({"pod": "vllm-7d9f"}, [second]),
        ({"process_id": 8}, [other]),
        ({"open": "true"}, [other, second]),
        ({"open": "false"}, [first]),
        ({"at": T0}, [first]),
        ({"at": T1}, [second]),
        ({"at": T2}, [other, second]),
        ({"at": "2026-02-07T09:59:59.999999Z"}, []),
        ({"at": "2026-02-07T12:00:59.999999+02:00"}, [first]),
        ({"seen_since": T2}, [second]),
        ({"q": "VLLM"}, [second]),
        ({"q": "part"}, [other]),
        ({"q": "host-1", "open": "true"}, [second]),
        ({"labels.team": "search"}, [first]),
        ({"labels.team": "sear"}, []),
        ({"labels.team": "null"}, [other]),
        ({"labels.size": "5"}, [other, first]),
        ({"labels.size": "5.0"}, [first]),
        ({"labels.paid": "true"}, [second]),
        ({"labels.paid": "false"}, []),
        ({"labels.none": "null"}, []),
        ({"labels.team": "search", "labels.size": "5"}, [first]),
        ({"labels.team": "ads", "labels.size": "5"}, []),
        ({"labels.team": "9" * 1000}, []),
        ({"labels.team": "[" * 1000}, []),
    ):
        assert labels(get(CONTEXTS, filters)) == found, filters


PAGE_FAULTS: list[tuple[dict[str, Any], set[str]]] = [
    ({"limit": 0}, {"limit"}),
    ({"limit": 1001}, {"limit"}),
    ({"offset": -1}, {"offset"}),
    ({"cursor": "x"}, {"cursor"}),
    ({"seen_since": "yesterday", "q": "\0", "x": 1}, {"seen_since", "q", "x"}),
]
CONTEXT_FAULTS: list[tuple[dict[str, Any], set[str]]] = [
    ({"open": "yes"}, {"open"}),
    ({"open": "True"}, {"open"}),
    ({"at": "now"}, {"at"}),
    ({"process_id": "x"}, {"process_id"}),
    ({"process_id": "1.5"}, {"process_id"}),
    ({"process_id": 2**63}, {"process_id"}),
    ({"labels.": "x"}, {"labels."}),
    ({"labels.a": "\0"}, {"labels.a"}),
    ({"labels.a": "x" * 1025}, {"labels.a"}),
    ({"labels": "x"}, {"labels"}),
    ({"attr.team": "search"}, {"attr.team"}),
]


@pytest.mark.parametrize(
    ("kind", "parameters", "named"),
    [
        *((kind, *fault) for kind in (CARDS, RESOURCES, CONTEXTS) for fault in PAGE_FAULTS),
        *((CONTEXTS, *fault) for fault in CONTEXT_FAULTS),
        (CARDS, {"label": "cuda:0"}, {"label"}),
        (CARDS, {"conflicts": "some"}, {"conflicts"}),
        (RESOURCES, {"retired": "yes"}, {"retired"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_parameter_is_named(get: Get, kind: str, parameters: dict[str, Any], named: set[str]) -> None:
    assert wrong(get(kind, parameters, status=400)) == named


def make(write: Write, kind: str, numbers: list[int]) -> None:
    """Register some by number, in which the order of the list differs from that of their creation."""
    for number in numbers:
        if kind == CARDS:
            write("post", kind, uuid=f"GPU-{number:02}", node_id=f"node-{number % 3}")
        elif kind == RESOURCES:
            write("post", kind, uuid=f"MIG-{number:02}", physical_uuid=f"GPU-{number % 2}" if number % 3 else None)
        else:
            at = f"2026-02-07T10:00:00.{number % 4:06}Z"
            write("post", kind, resource_uuid="MIG-1", hostname=f"host-{number}", attached_at=at)


def keys(kind: str, answer: dict[str, Any]) -> list[Any]:
    rows = answer[kind.strip("/").replace("-", "_")]
    return [row["id" if kind == CONTEXTS else "uuid"] for row in rows]


@pytest.mark.parametrize("kind", [CARDS, RESOURCES, CONTEXTS])
def test_the_cursor_stays_right_while_something_is_added(get: Get, write: Write, kind: str) -> None:
    for number in range(2):
        write("post", CARDS, uuid=f"GPU-{number}", node_id=f"node-{1 - number}")
    write("post", RESOURCES, uuid="MIG-1", physical_uuid="GPU-0")
    make(write, kind, [4, 0, 8, 2, 6])
    first = get(kind, limit=3)
    make(write, kind, [1, 3, 5, 7])
    rest, page = [], first
    while page["next"]:
        page = get(kind, limit=3, cursor=page["next"])
        rest += keys(kind, page)
        assert len(rest) < 30, "it goes in a circle"

    everything = keys(kind, get(kind))
    assert len(set(everything)) == len(everything) >= 9
    assert rest == everything[everything.index(keys(kind, first)[-1]) + 1 :]
    assert len(rest) >= 2
    assert keys(kind, get(kind, offset=2, limit=3)) == everything[2:5]
    assert get(kind, offset=len(everything) - 3, limit=3)["next"] is None


def test_cards_are_listed_by_node_resources_by_card_and_contexts_newest_first(
    get: Get, write: Write, fleet: None
) -> None:
    del fleet
    write("post", CARDS, uuid="GPU-0", node_id="mi-1")
    assert uuids(get(CARDS)) == ["GPU-nv", "GPU-0", "GPU-amd"]
    assert uuids(get(RESOURCES)) == ["MIG-2", "MIG-1", "PART-1"]
    assert labels(get(CONTEXTS)) == [("hip:0", T2), ("cuda:0", T1), ("cuda:0", T0)]


def test_a_cursor_is_of_one_list_and_its_filters(get: Get, fleet: None) -> None:
    del fleet
    cursor = get(CARDS, limit=1)["next"]
    assert wrong(get(RESOURCES, limit=1, cursor=cursor, status=400)) == {"cursor"}
    assert wrong(get(CARDS, limit=1, cursor=cursor, vendor="AMD", status=400)) == {"cursor"}
    labelled = get(CONTEXTS, {"limit": 1, "labels.size": "5"})["next"]
    assert wrong(get(CONTEXTS, {"limit": 1, "labels.size": "6", "cursor": labelled}, status=400)) == {"cursor"}


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("kind", [CARDS, RESOURCES, CONTEXTS])
def test_the_number_of_statements_does_not_grow_with_the_list(
    get: Get,
    write: Write,
    queries: list[str],
    django_assert_num_queries: DjangoAssertNumQueries,
    kind: str,
    count: int,
) -> None:
    for number in range(2):
        write("post", CARDS, uuid=f"GPU-{number}")
    write("post", RESOURCES, uuid="MIG-1", physical_uuid="GPU-0")
    make(write, kind, list(range(count)))
    with django_assert_num_queries(2):
        assert get(kind)["total"] >= count
    assert queries == [], "of ClickHouse"
