"""A span that names no GPU shows the one that the registry's contexts have its host, pod and process on."""

import time
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from analytics.span_rows import GPU_READINGS
from registry.models import ComputeResource, PhysicalGPU, ResourceContext, Tenant
from registry.times import to_datetime
from tests.analytics.conftest import Get
from tests.conftest import Ingest
from tests.otlp import SECOND_NS, gpu, request, span

pytestmark = pytest.mark.django_db

ORIGIN_NS = time.time_ns() - 600 * SECOND_NS
TRACE = b"\x01" * 16
POD: dict[str, object] = {"host.name": "dgx-2", "k8s.pod.name": "vllm-1", "process.pid": 7}


def held(uuid: str, *, since_s: int = 0, until_s: int | None = None, label: str = "cuda:0", **who: Any) -> None:
    """Have a slice of GPU-1 held by the pod vllm-1, or by whoever is named, from a second to a second."""
    tenant = Tenant.objects.get_or_create(slug=who.pop("tenant", "default"), defaults={"name": "x"})[0]
    card = PhysicalGPU.objects.get_or_create(tenant=tenant, uuid="GPU-1", defaults={"set_model": "H100"})[0]
    slice_ = ComputeResource.objects.get_or_create(
        tenant=tenant, uuid=uuid, defaults={"set_physical": card, "set_resource_type": "mig_1g.10gb"}
    )[0]
    ResourceContext.objects.create(
        resource=slice_,
        user_label=label,
        attached_at=to_datetime(ORIGIN_NS + since_s * SECOND_NS),
        detached_at=None if until_s is None else to_datetime(ORIGIN_NS + until_s * SECOND_NS),
        **{"hostname": "dgx-2", "pod": "vllm-1", "process_id": 7, **who},
    )


@pytest.fixture
def shown(ingest: Ingest, get: Get) -> Any:
    """Return what sends a span at a second and returns its `gpus`, which all endpoints that show spans have alike."""

    def ask(at_s: int = 10, sender: dict[str, object] | None = None, **fields: Any) -> list[dict[str, Any]]:
        start_ns = ORIGIN_NS + at_s * SECOND_NS
        sent = span(trace_id=TRACE, start_ns=start_ns, attributes=fields.get("attributes", {}))
        ingest(request(sent, resource=POD if sender is None else sender))
        (nested,) = get(f"/traces/{TRACE.hex()}")["spans"]
        (flat,) = get(f"/traces/{TRACE.hex()}/spans")["spans"]
        (found,) = get("/spans")["spans"]
        assert nested["gpus"] == flat["gpus"] == found["gpus"]
        gpus: list[dict[str, Any]] = nested["gpus"]
        return gpus

    return ask


def test_the_slice_that_its_pod_held_then_is_shown_without_readings(shown: Any) -> None:
    held("MIG-0", until_s=5)
    held("MIG-1", since_s=5, until_s=20)
    held("MIG-2", since_s=20)
    assert shown() == [
        {
            "resource_uuid": "MIG-1",
            "physical_uuid": "GPU-1",
            "user_label": "cuda:0",
            "model": "H100",
            "vendor": "NVIDIA",
            "node_id": None,
            "resource_type": "mig_1g.10gb",
            "source": "context",
            **dict.fromkeys(GPU_READINGS),
        }
    ]


@pytest.mark.parametrize("at_s", [4, 20])
def test_before_and_after_nobody_held_it(shown: Any, at_s: int) -> None:
    held("MIG-1", since_s=5, until_s=20)
    assert shown(at_s) == []


@pytest.mark.parametrize(
    "sender",
    [
        {"host.name": "dgx-2"},
        {"k8s.pod.name": "vllm-1"},
        {"host.name": "dgx-2", "process.pid": 7},
        {"k8s.pod.name": "vllm-1", "process.pid": 7},
    ],
    ids=str,
)
def test_a_span_need_not_say_all_of_host_pod_and_process(shown: Any, sender: dict[str, object]) -> None:
    held("MIG-1")
    held("MIG-9", hostname="dgx-3", pod="vllm-3", process_id=9)
    assert [one["resource_uuid"] for one in shown(sender=sender)] == ["MIG-1"]


@pytest.mark.parametrize(
    "sender",
    [
        {},
        {"process.pid": 7},
        {"host.name": "dgx-9", "k8s.pod.name": "vllm-1"},
        {"host.name": "dgx-2", "process.pid": 8},
        {"k8s.pod.name": "gateway"},
        {"host.name": "x\0"},
    ],
    ids=str,
)
def test_what_is_said_otherwise_or_by_a_process_alone_tells_nothing(shown: Any, sender: dict[str, object]) -> None:
    held("MIG-1")
    assert shown(sender=sender) == []


def test_where_two_slices_were_held_nothing_is_shown(shown: Any) -> None:
    held("MIG-1")
    held("MIG-2", label="cuda:1")
    assert shown() == []


def test_of_a_slice_held_under_two_labels_the_label_is_left_out(shown: Any) -> None:
    held("MIG-1")
    held("MIG-1", label="cuda:1")
    assert [(one["resource_uuid"], one["user_label"]) for one in shown()] == [("MIG-1", None)]


def test_of_another_tenant_nothing_is_known(shown: Any) -> None:
    held("MIG-1", tenant="vision-lab")
    assert shown() == []


def test_what_a_span_names_itself_stands(shown: Any) -> None:
    held("MIG-1")
    (one,) = shown(attributes=gpu(0, resource_uuid="MIG-7", utilization=50.0))
    assert (one["resource_uuid"], one["source"], one["utilization"]) == ("MIG-7", "span", 50.0)


def test_attributes_that_look_like_members_mislead_nobody(shown: Any) -> None:
    held("MIG-1")
    attributes = {"a": 1, "gpus": [], "host": "dgx-2", "text": ',"gpus":[],"host":"dgx-2"'}
    assert shown(sender={"service.name": ',"host":"dgx-2"'}, attributes=attributes) == []


@pytest.mark.parametrize("count", [2, 60])
def test_it_takes_one_statement_for_any_number_of_spans(
    ingest: Ingest, get: Get, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    held("MIG-1")
    spans = [span(trace_id=TRACE, span_id=n.to_bytes(8), start_ns=ORIGIN_NS + SECOND_NS) for n in range(1, count)]
    ingest(
        request(*spans, resource=POD),
        request(span(trace_id=TRACE, start_ns=ORIGIN_NS), resource={"host.name": "dgx-2"}),
    )
    for address in (f"/traces/{TRACE.hex()}", f"/traces/{TRACE.hex()}/spans", "/spans"):
        with django_assert_num_queries(1):
            shown = get(address)["spans"]
        assert all(len(one["gpus"]) == 1 for one in shown)


def test_a_trace_whose_spans_name_their_gpus_asks_postgresql_nothing(
    ingest: Ingest, get: Get, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ingest(request(span(trace_id=TRACE, attributes=gpu(0, resource_uuid="MIG-1")), resource=POD))
    with django_assert_num_queries(0):
        get(f"/traces/{TRACE.hex()}")


def test_while_postgresql_does_not_answer_a_trace_is_shown_all_the_same(
    ingest: Ingest, get: Get, caplog: pytest.LogCaptureFixture
) -> None:
    ingest(request(span("served", trace_id=TRACE), resource=POD))
    database = connection.settings_dict
    with psycopg.connect(
        dbname=database["NAME"],
        host=database["HOST"],
        port=database["PORT"] or None,
        user=database["USER"],
        password=database["PASSWORD"],
    ) as other:
        other.execute("LOCK TABLE registry_resourcecontext IN ACCESS EXCLUSIVE MODE")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
        (shown,) = get(f"/traces/{TRACE.hex()}")["spans"]
        other.rollback()
    assert (shown["name"], shown["gpus"]) == ("served", [])
    assert "without the GPUs" in caplog.text
