"""What operators set counts everywhere, also for spans that said something else, and all history at once."""

import os
import time

import pytest

from analytics.times import format_time
from registry.mirror import mirror_registry
from registry.models import ComputeResource, Node, PhysicalGPU
from registry.sync import sync_registry
from tests.analytics.conftest import Get
from tests.conftest import Ingest
from tests.otlp import SECOND_NS, gpu, request, span

pytestmark = pytest.mark.django_db

SLICE = "MIG-8b1f4c52"
SENT = {"physical_uuid": "GPU-sent", "model": "H100", "vendor": "NVIDIA", "node_id": "n-sent", "resource_type": "mig"}
TRUE = {"physical_uuid": "GPU-true", "model": "H200", "vendor": "nv", "node_id": "n-true", "resource_type": "mig_x"}


@pytest.fixture
def trace_id(ingest: Ingest) -> str:
    """Return the trace of a span that ran on a slice, of which it says all that it can."""
    trace_id = os.urandom(16)
    ingest(request(span(trace_id=trace_id, attributes=gpu(0, resource_uuid=SLICE, utilization=50.0, **SENT))))
    sync_registry()
    return trace_id.hex()


@pytest.fixture
def corrected(trace_id: str) -> str:
    """Return the same, after operators put the slice on another card, in another node."""
    node = Node.objects.create(tenant_id=1, name=TRUE["node_id"])
    card = PhysicalGPU.objects.create(
        tenant_id=1, uuid=TRUE["physical_uuid"], set_model=TRUE["model"], set_vendor=TRUE["vendor"], set_node=node
    )
    ComputeResource.objects.filter(uuid=SLICE).update(set_physical=card, set_resource_type=TRUE["resource_type"])
    mirror_registry()
    return trace_id


def shown(get: Get, trace_id: str) -> dict[str, str]:
    """Return the facts of the GPU in the trace, in its flat list and among all spans, which agree."""
    lists = (get(f"/traces/{trace_id}"), get(f"/traces/{trace_id}/spans"), get("/spans"))
    first, *others = ({name: one["spans"][0]["gpus"][0][name] for name in TRUE} for one in lists)
    assert others == [first, first]
    return first


def test_the_spans_show_it(get: Get, corrected: str) -> None:
    assert shown(get, corrected) == TRUE


def test_a_correction_that_is_taken_back_leaves_what_was_sent(get: Get, corrected: str) -> None:
    ComputeResource.objects.update(set_physical=None, set_resource_type="")
    mirror_registry()
    assert shown(get, corrected) == SENT


@pytest.mark.parametrize("name", ["node_id", "physical_uuid"])
def test_filters_find_spans_and_traces_by_it_and_no_longer_by_what_was_sent(
    get: Get, corrected: str, name: str
) -> None:
    del corrected
    for path in ("/traces", "/spans", "/analytics/overview", "/analytics/gpus"):
        counts = []
        for facts in (TRUE, SENT):
            answer = get(path, {name: facts[name]})
            counts.append(answer["total_traces" if "overview" in path else "total"])
        assert counts == [1, 0], path


def test_groups_are_named_by_it(get: Get, corrected: str) -> None:
    del corrected
    series = get("/analytics/throughput", group_by="node_id")["series"]
    assert {point["group"] for point in series if point["spans"]} == {TRUE["node_id"]}


def test_the_readings_are_the_true_cards(get: Get, corrected: str) -> None:
    del corrected
    now = time.time_ns()
    around = {"start": format_time(now - 600 * SECOND_NS), "end": format_time(now + 60 * SECOND_NS)}
    read = {
        uuid: [point["utilization"] for point in get(f"/physical-gpus/{uuid}/metrics", around)["metrics"]]
        for uuid in (TRUE["physical_uuid"], SENT["physical_uuid"])
    }
    assert [value for value in read[TRUE["physical_uuid"]] if value is not None] == [50.0]
    assert [value for value in read[SENT["physical_uuid"]] if value is not None] == []
