"""GET /gpus: the registry's GPUs with their latest known readings, filtered and paged."""

import time
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from analytics.times import format_time
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext, Tenant
from registry.sync import sync_registry
from tests.analytics.conftest import Get, wrong
from tests.conftest import Ingest
from tests.otlp import MILLISECOND_NS, SECOND_NS, gpu, request, span

pytestmark = pytest.mark.django_db

H100 = "NVIDIA H100 80GB HBM3"
CARD: dict[str, object] = {
    "resource_uuid": "GPU-5f2c1a9e",
    "physical_uuid": "GPU-5f2c1a9e",
    "model": H100,
    "vendor": "NVIDIA",
    "node_id": "dgx-h100-02",
    "resource_type": "full_gpu",
    "user_label": "cuda:0",
    "utilization": 87.5,
    "memory_used_gb": 61.25,
    "memory_total_gb": 80.0,
    "temperature_celsius": 64,
    "power_watts": 512,
    "clock_mhz": 1755,
}
SLICE: dict[str, object] = CARD | {
    "resource_uuid": "MIG-8b1f4c52",
    "physical_uuid": "GPU-77777777",
    "resource_type": "mig_1g.10gb",
    "memory_total_gb": 9.75,
}
UNKNOWN_READINGS: dict[str, object] = dict.fromkeys(
    ("utilization", "memory_used_gb", "temperature_celsius", "power_watts", "clock_mhz"), 0
)


def send(
    ingest: Ingest, *gpus: dict[str, object], at_ns: int | None = None, sender: dict[str, object] | None = None
) -> int:
    """Send one span that ran on all these GPUs for 100 ms, and synchronise; returns the time of the readings."""
    start_ns = (at_ns or time.time_ns()) - 100 * MILLISECOND_NS
    attributes = {key: value for number, fields in enumerate(gpus) for key, value in gpu(number, **fields).items()}
    ingest(request(span(start_ns=start_ns, attributes=attributes), resource=sender or {}))
    sync_registry()
    return start_ns + 100 * MILLISECOND_NS


def uuids(answer: dict[str, Any]) -> list[str]:
    return [each["resource_uuid"] for each in answer["gpus"]]


def microseconds(nanoseconds: int) -> str:
    """Return the time as the registry keeps it."""
    return format_time(nanoseconds // 1000 * 1000)


def test_a_gpu_is_listed_with_its_card_and_its_readings(ingest: Ingest, get: Get) -> None:
    read_at_ns = send(ingest, CARD)

    assert get("/gpus") == {
        "gpus": [
            {
                "resource_uuid": "GPU-5f2c1a9e",
                "physical_uuid": "GPU-5f2c1a9e",
                "model": H100,
                "vendor": "NVIDIA",
                "resource_type": "full_gpu",
                "node_id": "dgx-h100-02",
                "user_labels": ["cuda:0"],
                "utilization": 87.5,
                "memory_used_gb": 61.25,
                "memory_total_gb": 80.0,
                "temperature_celsius": 64.0,
                "power_watts": 512.0,
                "clock_mhz": 1755.0,
                "reading_at": format_time(read_at_ns),
                "cost_per_hour_usd": None,
                "share": 1.0,
                "mig_profile": "",
                "sm_share": None,
                "labels": {},
                "retired_at": None,
                "first_seen": microseconds(read_at_ns - 100 * MILLISECOND_NS),
                "last_seen": microseconds(read_at_ns),
            }
        ],
        "total": 1,
        "limit": 50,
        "offset": 0,
        "next": None,
    }


def test_the_latest_reading_counts_whatever_came_last(ingest: Ingest, get: Get) -> None:
    now_ns = time.time_ns()
    send(ingest, CARD | {"utilization": 10.0}, at_ns=now_ns - 20 * SECOND_NS)
    latest_ns = send(ingest, CARD | {"utilization": 30.0}, at_ns=now_ns - 5 * SECOND_NS)
    send(ingest, CARD | {"utilization": 20.0}, at_ns=now_ns - 10 * SECOND_NS)

    (listed,) = get("/gpus")["gpus"]
    assert (listed["utilization"], listed["reading_at"]) == (30.0, format_time(latest_ns))


def test_a_reading_outlives_snapshots_that_know_nothing(ingest: Ingest, get: Get) -> None:
    read_at_ns = send(ingest, SLICE, at_ns=time.time_ns() - 5 * SECOND_NS)
    send(ingest, SLICE | UNKNOWN_READINGS)

    (listed,) = get("/gpus")["gpus"]
    assert (listed["utilization"], listed["power_watts"]) == (87.5, 512.0)
    assert listed["reading_at"] == format_time(read_at_ns)


def test_without_readings_the_numbers_of_the_dashboard_are_zero_and_the_others_null(ingest: Ingest, get: Get) -> None:
    send(ingest, SLICE | UNKNOWN_READINGS)

    (listed,) = get("/gpus")["gpus"]
    assert (listed["utilization"], listed["memory_used_gb"], listed["memory_total_gb"]) == (0, 0, 9.75)
    assert (listed["temperature_celsius"], listed["power_watts"], listed["clock_mhz"]) == (None, None, None)
    assert listed["reading_at"] is None


def test_a_reading_that_json_has_no_number_for_is_unknown(ingest: Ingest, get: Get) -> None:
    send(ingest, CARD | {"utilization": float("nan"), "power_watts": float("inf")})

    (listed,) = get("/gpus")["gpus"]
    assert (listed["utilization"], listed["power_watts"], listed["memory_used_gb"]) == (0, None, 61.25)


def test_a_resource_of_which_only_the_uuid_is_known_is_listed(ingest: Ingest, get: Get) -> None:
    send(ingest, {"resource_uuid": "MIG-1"})

    (listed,) = get("/gpus")["gpus"]
    texts = [listed[name] for name in ("resource_uuid", "physical_uuid", "model", "resource_type", "node_id")]
    assert texts == ["MIG-1", "", "", "mig", ""]
    assert (listed["utilization"], listed["memory_used_gb"], listed["memory_total_gb"]) == (0, 0, 0)


def test_a_resource_that_no_span_has_named_yet_is_listed(get: Get, clickhouse: object) -> None:
    del clickhouse
    tenant = Tenant.objects.get_or_create(slug="default")[0]
    card = PhysicalGPU.objects.create(tenant=tenant, uuid="GPU-1", set_model="H200", cost_per_hour_usd="3.5")
    ComputeResource.objects.create(tenant=tenant, uuid="GPU-1", set_physical=card)

    (listed,) = get("/gpus")["gpus"]
    assert (listed["model"], listed["resource_type"], listed["cost_per_hour_usd"]) == ("H200", "full_gpu", 3.5)
    assert (listed["first_seen"], listed["last_seen"], listed["user_labels"]) == (None, None, [])


def test_a_correction_of_operations_is_shown_instead_of_what_was_sent(ingest: Ingest, get: Get) -> None:
    send(ingest, CARD)
    rack = Node.objects.create(tenant=Tenant.objects.get(), name="rack-7")
    PhysicalGPU.objects.update(set_node=rack, set_model="H100 SXM5")
    ComputeResource.objects.update(set_memory_total_gb=79.6, set_resource_type="reserved")

    (listed,) = get("/gpus")["gpus"]
    shown = [listed[name] for name in ("node_id", "model", "memory_total_gb", "resource_type")]
    assert shown == ["rack-7", "H100 SXM5", 79.6, "reserved"]
    assert uuids(get("/gpus", node_id="rack-7", model="H100 SXM5", resource_type="reserved")) == ["GPU-5f2c1a9e"]
    assert uuids(get("/gpus", node_id="dgx-h100-02")) == []


def test_labels_are_those_of_who_holds_it_now(ingest: Ingest, get: Get) -> None:
    for label, pid in (("cuda:1", 1), ("cuda:0", 2), ("cuda:1", 3)):
        send(ingest, CARD | {"user_label": label}, sender={"process.pid": pid})
    ResourceContext.objects.filter(user_label="cuda:0").end(timezone.now())

    assert get("/gpus")["gpus"][0]["user_labels"] == ["cuda:1"]
    assert get("/gpus", label="cuda:0")["total"] == 0


def test_another_tenants_gpus_are_not_shown(ingest: Ingest, get: Get) -> None:
    ingest(request(span(attributes=gpu(0, **CARD))), tenant="vision-lab")
    sync_registry()

    assert ComputeResource.objects.count() == 1
    assert get("/gpus")["total"] == 0
    assert get("/gpus/GPU-5f2c1a9e", status=404)
    assert get("/gpus/GPU-5f2c1a9e/metrics")["metrics"] == []


OTHER = CARD | {
    "resource_uuid": "GPU-other",
    "physical_uuid": "GPU-other",
    "model": "MI300X",
    "vendor": "AMD",
    "node_id": "mi-1",
    "user_label": "hip:0",
}


def test_each_filter_finds_the_gpu_that_it_speaks_of(ingest: Ingest, get: Get) -> None:
    send(ingest, CARD, SLICE, sender={"host.name": "nv-host"})
    send(ingest, OTHER, sender={"host.name": "amd-host", "k8s.pod.name": "vllm-7d9f"})

    for filters in (
        {"node_id": "mi-1"},
        {"model": "MI300X"},
        {"vendor": "AMD"},
        {"physical_uuid": "GPU-other"},
        {"label": "hip:0"},
        {"q": "OTHER"},
        {"q": "mi300"},
        {"q": "hip:"},
        {"q": "amd-host"},
        {"q": "vllm-7d9f"},
        {"vendor": "AMD", "resource_type": "full_gpu", "q": "mi-1"},
    ):
        answer = get("/gpus", filters)
        assert (uuids(answer), answer["total"]) == (["GPU-other"], 1), filters


def test_filters_hold_together_and_texts_are_compared_as_they_stand(ingest: Ingest, get: Get) -> None:
    plain = {"resource_type": "full"}
    send(ingest, CARD | plain, OTHER | plain)

    for filters in ({"vendor": "AMD", "model": H100}, {"model": "H100"}, {"model": f"{H100} "}, {"q": "%"}, {"q": "_"}):
        assert get("/gpus", filters)["total"] == 0, filters


def test_resource_type_finds_what_was_guessed_too(ingest: Ingest, get: Get) -> None:
    send(ingest, CARD, SLICE, {"resource_uuid": "MIG-1"})

    assert uuids(get("/gpus", resource_type="full_gpu")) == ["GPU-5f2c1a9e"]
    assert uuids(get("/gpus", resource_type="mig")) == ["MIG-1"]


def test_seen_since_is_a_time_with_any_offset(ingest: Ingest, get: Get) -> None:
    now_ns = time.time_ns() // SECOND_NS * SECOND_NS
    send(ingest, CARD, at_ns=now_ns - 100 * SECOND_NS)
    send(ingest, SLICE, at_ns=now_ns - 10 * SECOND_NS)

    assert uuids(get("/gpus", seen_since=format_time(now_ns - 10 * SECOND_NS))) == ["MIG-8b1f4c52"]
    east = format_time(now_ns - 10 * SECOND_NS + 2 * 3600 * SECOND_NS).replace("Z", "+02:00")
    assert uuids(get("/gpus", seen_since=east)) == ["MIG-8b1f4c52"]
    assert uuids(get("/gpus", seen_since=format_time(now_ns - 10 * SECOND_NS + 1000))) == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"nodes": "a"}, {"nodes"}),
        ({"seen_since": "yesterday"}, {"seen_since"}),
        ({"seen_since": "2026-02-07T10:00:00"}, {"seen_since"}),
        ({"seen_since": "9999-01-01T00:00:00Z"}, {"seen_since"}),
        ({"q": "\0"}, {"q"}),
        ({"model": "x" * 1025}, {"model"}),
        ({"label": ""}, {"label"}),
        ({"node_id": ["a", "b"]}, {"node_id"}),
        ({"limit": 0}, {"limit"}),
        ({"limit": 1001}, {"limit"}),
        ({"offset": -1}, {"offset"}),
        ({"cursor": "x"}, {"cursor"}),
        ({"seen_since": "x", "nodes": "a", "limit": "b"}, {"seen_since", "nodes", "limit"}),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named(get: Get, parameters: dict[str, object], named: set[str]) -> None:
    assert wrong(get("/gpus", parameters, status=400)) == named


def fleet(ingest: Ingest, numbers: list[int]) -> None:
    send(
        ingest,
        *(
            SLICE | {"resource_uuid": f"MIG-{n}", "physical_uuid": f"GPU-{n // 4}{n % 2}", "node_id": f"node-{n // 4}"}
            for n in numbers
        ),
    )


def test_gpus_are_listed_by_node_and_card(ingest: Ingest, get: Get) -> None:
    fleet(ingest, [0, 1, 2, 3, 4, 5])

    assert uuids(get("/gpus")) == ["MIG-0", "MIG-2", "MIG-1", "MIG-3", "MIG-4", "MIG-5"]


def test_the_cursor_stays_right_while_gpus_arrive(ingest: Ingest, get: Get) -> None:
    fleet(ingest, [0, 2, 4, 8, 10])
    first = get("/gpus", limit=2)
    fleet(ingest, [1, 3, 5, 6, 7, 9])
    rest = []
    cursor = first["next"]
    while cursor:
        page = get("/gpus", limit=2, cursor=cursor)
        rest += uuids(page)
        cursor = page["next"]

    everything = uuids(get("/gpus", limit=100))
    assert len(everything) == 11
    assert rest == everything[everything.index(uuids(first)[-1]) + 1 :]


def test_offset_and_limit_cut_a_page_out(ingest: Ingest, get: Get) -> None:
    fleet(ingest, [0, 1, 2, 3])
    everything = uuids(get("/gpus"))

    page = get("/gpus", limit=2, offset=1)
    assert (uuids(page), page["total"], page["limit"], page["offset"]) == (everything[1:3], 4, 2, 1)
    assert page["next"]
    assert get("/gpus", limit=2, offset=2)["next"] is None
    assert uuids(get("/gpus", offset=4)) == []


@pytest.mark.parametrize("count", [1, 40])
def test_the_number_of_queries_does_not_grow_with_the_number_of_gpus(
    ingest: Ingest, get: Get, queries: list[str], django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    fleet(ingest, list(range(count)))
    queries.clear()

    with django_assert_num_queries(2):
        assert get("/gpus")["total"] == count
    assert len(queries) == 1

    queries.clear()
    with django_assert_num_queries(3):
        get("/gpus/MIG-0")
    assert len(queries) == 1


def test_one_gpu_is_shown_with_its_card_its_siblings_and_its_holders(ingest: Ingest, get: Get) -> None:
    one = SLICE | {"resource_uuid": "MIG-1"}
    two = SLICE | {"resource_uuid": "MIG-2", "utilization": 12.0}
    whole = SLICE | {"resource_uuid": "GPU-77777777", "resource_type": "full_gpu"}
    read_at_ns = send(ingest, one, two, whole, CARD, sender={"host.name": "host-1", "process.pid": 42})
    PhysicalGPU.objects.filter(uuid="GPU-77777777").update(cost_per_hour_usd="2.85")
    listed = {each["resource_uuid"]: each for each in get("/gpus")["gpus"]}

    shown = get("/gpus/MIG-1")

    relations = {name: shown.pop(name) for name in ("physical", "contexts", "siblings")}
    assert shown == listed["MIG-1"]
    first_seen, last_seen = microseconds(read_at_ns - 100 * MILLISECOND_NS), microseconds(read_at_ns)
    assert relations == {
        "physical": {
            "uuid": "GPU-77777777",
            "model": H100,
            "vendor": "NVIDIA",
            "node_id": "dgx-h100-02",
            "memory_total_gb": 9.75,
            "set": [],
            "conflicts": [],
            "seen_model": H100,
            "seen_vendor": "NVIDIA",
            "seen_node_id": "dgx-h100-02",
            "seen_memory_total_gb": 9.75,
            "cost_per_hour_usd": 2.85,
            **dict.fromkeys(("architecture", "compute_capability", "pcie_bus_id"), ""),
            **dict.fromkeys(("sm_count", "tflops", "tdp_watts", "numa_node")),
            "labels": {},
            "first_seen": first_seen,
            "last_seen": last_seen,
        },
        "contexts": [
            {
                "user_label": "cuda:0",
                "hostname": "host-1",
                "pod": "",
                "process_id": 42,
                "labels": {},
                "attached_at": first_seen,
                "detached_at": None,
                "ended_by": "",
                "last_seen": last_seen,
            }
        ],
        "siblings": [listed["MIG-2"]],
    }


def test_a_gpu_without_card_has_no_siblings(ingest: Ingest, get: Get) -> None:
    send(ingest, {"resource_uuid": "MIG-1"}, {"resource_uuid": "MIG-2"})

    shown = get("/gpus/MIG-1")
    assert (shown["physical"], shown["siblings"], shown["contexts"]) == (None, [], [])


def test_the_holders_of_a_gpu_come_newest_first(ingest: Ingest, get: Get) -> None:
    now_ns = time.time_ns()
    for pid, age_s in ((1, 30), (2, 10), (3, 20)):
        send(ingest, CARD, at_ns=now_ns - age_s * SECOND_NS, sender={"process.pid": pid})

    assert [context["process_id"] for context in get("/gpus/GPU-5f2c1a9e")["contexts"]] == [2, 3, 1]


@pytest.mark.parametrize("uuid", ["GPU-none", "GPU-%00", "GPU-%F0%9F%92%A5"])
def test_an_unknown_gpu_is_a_404(get: Get, clickhouse: object, uuid: str) -> None:
    del clickhouse
    answer = get(f"/gpus/{uuid}", status=404)
    assert answer["type"] == "client_error"
    assert answer["errors"][0]["detail"] == "There is no such GPU."


def test_parameters_of_one_gpu_are_refused(get: Get) -> None:
    assert wrong(get("/gpus/GPU-1", {"limit": 1}, status=400)) == {"limit"}


def test_a_span_that_names_only_a_resource_is_shown_with_its_card(ingest: Ingest, get: Get) -> None:
    send(ingest, SLICE)
    bare = span(attributes=gpu(0, resource_uuid=SLICE["resource_uuid"]))
    ingest(request(bare))

    (root,) = get(f"/traces/{bare.trace_id.hex()}")["spans"]
    (attribution,) = root["gpus"]
    names = ("physical_uuid", "model", "node_id", "vendor", "resource_type")
    assert {name: attribution[name] for name in names} == {name: SLICE[name] for name in names}
