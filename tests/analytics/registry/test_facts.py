"""What operators set counts, what was seen stands beside it, and where the two differ is shown."""

from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from registry.models import Node
from registry.sync import sync_registry
from tests.analytics.conftest import Get, Write
from tests.analytics.registry.records import CARDS, RESOURCES
from tests.conftest import Ingest
from tests.otlp import gpu, request, span

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]

CARD, SLICE = f"{CARDS}/GPU-1", f"{RESOURCES}/MIG-1"
SAID: dict[str, object] = {"resource_uuid": "MIG-1", "physical_uuid": "GPU-1", "resource_type": "mig_1g.10gb"}


@pytest.fixture
def seen(ingest: Ingest) -> Any:
    """Return what sends a span with one attribution and synchronises."""

    def send(**fields: object) -> None:
        ingest(request(span(attributes=gpu(0, **{**SAID, **fields}))))
        sync_registry()

    return send


def test_what_is_only_seen_is_kept_fresh(seen: Any, get: Get) -> None:
    seen(model="H100", node_id="node-1", memory_total_gb=9.75)
    seen(model="H200", node_id="node-2", memory_total_gb=17.5, resource_type="mig_1g.18gb")
    seen()
    card, slice_ = get(CARD), get(SLICE)
    assert (card["model"], card["node_id"], card["set"], card["conflicts"]) == ("H200", "node-2", [], [])
    assert (slice_["resource_type"], slice_["memory_total_gb"]) == ("mig_1g.10gb", 17.5), "the last that was said"


def test_what_is_set_counts_and_what_is_seen_else_is_a_conflict(seen: Any, get: Get, write: Write) -> None:
    seen(model="H100", node_id="node-1")
    write("patch", CARD, model="H100 SXM5", node_id="rack-7", vendor="NVIDIA")
    seen(model="H100", node_id="node-2", vendor="NVIDIA")
    card = get(CARD)
    assert (card["model"], card["node_id"], card["vendor"]) == ("H100 SXM5", "rack-7", "NVIDIA")
    assert (card["seen_model"], card["seen_node_id"]) == ("H100", "node-2")
    assert card["set"] == ["model", "vendor", "node_id"]
    assert card["conflicts"] == [
        {"field": "model", "set": "H100 SXM5", "seen": "H100"},
        {"field": "node_id", "set": "rack-7", "seen": "node-2"},
    ]
    assert get(CARDS, conflicts="true")["total"] == 1
    assert get(CARDS, conflicts="false")["total"] == 0
    assert get(CARDS, node_id="rack-7")["total"] == 1
    assert get(CARDS, node_id="node-2")["total"] == 0


def test_a_slice_on_another_card_than_it_was_seen_on_is_a_conflict(seen: Any, get: Get, write: Write) -> None:
    seen(memory_total_gb=9.75)
    write("post", CARDS, uuid="GPU-2", model="H200")
    write("patch", SLICE, physical_uuid="GPU-2", memory_total_gb=9.75, resource_type="mig_2g.20gb")
    slice_ = get(SLICE)
    assert slice_["conflicts"] == [
        {"field": "resource_type", "set": "mig_2g.20gb", "seen": "mig_1g.10gb"},
        {"field": "physical_uuid", "set": "GPU-2", "seen": "GPU-1"},
    ]
    assert get(RESOURCES, conflicts="true")["total"] == get("/gpus", physical_uuid="GPU-2")["total"] == 1
    assert get("/gpus", conflicts="false")["total"] == 0


def test_what_is_cleared_is_as_it_was_seen(seen: Any, write: Write) -> None:
    seen(model="H100", node_id="node-1")
    write("patch", CARD, model="H200", node_id="rack-7")
    cleared = write("patch", CARD, model="", node_id="")
    assert (cleared["model"], cleared["node_id"], cleared["set"], cleared["conflicts"]) == ("H100", "node-1", [], [])
    write("post", CARDS, uuid="GPU-2")
    write("patch", SLICE, physical_uuid="GPU-2")
    assert write("patch", SLICE, physical_uuid=None)["physical_uuid"] == "GPU-1"


def test_a_whole_object_that_is_sent_back_sets_nothing_and_a_change_sets_what_it_names(
    seen: Any, get: Get, write: Write
) -> None:
    seen(model="H100", node_id="node-1", memory_total_gb=9.75)
    for address in (CARD, SLICE):
        assert write("put", address, get(address))["set"] == []
    assert write("patch", CARD, model="H100")["set"] == ["model"]
    assert write("put", CARD, get(CARD) | {"vendor": "NVIDIA"})["set"] == ["model", "vendor"]
    assert write("put", CARD, uuid="GPU-1")["set"] == [], "what it leaves out is not set any more"


def test_the_profile_memory_and_sm_share_follow_from_the_type_until_they_are_told(
    seen: Any, get: Get, write: Write
) -> None:
    seen(resource_type="mig_3g.40gb")
    slice_ = get(SLICE)
    assert (slice_["mig_profile"], slice_["memory_total_gb"], slice_["sm_share"]) == ("3g.40gb", 40.0, 3 / 7)
    seen(resource_type="mig_3g.40gb", memory_total_gb=39.5)
    assert get(SLICE)["memory_total_gb"] == 39.5
    told = write("patch", SLICE, mig_profile="1c.3g.40gb", sm_share="0.25", gi_id=2, ci_id=0)
    assert (told["mig_profile"], told["sm_share"], told["gi_id"], told["ci_id"]) == ("1c.3g.40gb", 0.25, 2, 0)


@pytest.mark.parametrize(
    ("kind", "profile", "memory_gb", "sm_share"),
    [
        ("mig_1g.10gb", "1g.10gb", 10.0, 1 / 7),
        ("mig_7g.80gb", "7g.80gb", 80.0, 1.0),
        ("mig_1g.10gb+me", "1g.10gb+me", 10.0, 1 / 7),
        ("mig_2c.3g.40gb", "2c.3g.40gb", 40.0, 2 / 7),
        ("mig_2g.12gb", "2g.12gb", 12.0, 0.5),
        ("mig_40gb", "", 40.0, None),
        ("mig", "", None, None),
        ("full_gpu", "", None, None),
        ("80gb", "", None, None),
    ],
)
def test_a_type_tells_as_much_as_it_says(
    write: Write, kind: str, profile: str, memory_gb: float | None, sm_share: float | None
) -> None:
    slice_ = write("post", RESOURCES, uuid="MIG-1", resource_type=kind)
    assert (slice_["mig_profile"], slice_["memory_total_gb"]) == (profile, memory_gb)
    assert slice_["sm_share"] == (None if sm_share is None else pytest.approx(sm_share, abs=1e-15))


def test_a_price_is_the_cards_by_the_share_and_ones_own_wins(seen: Any, get: Get, write: Write, settings: Any) -> None:
    seen(memory_total_gb=10.0)
    seen(resource_uuid="MIG-2", resource_type="mig_3g.40gb", memory_total_gb=40.0)
    assert write("patch", CARD, cost_per_hour_usd="2.1")["cost_per_hour_usd"] == 2.1
    assert (get(SLICE)["share"], get(SLICE)["cost_per_hour_usd"]) == (None, None), (
        "of which the card's memory is not known"
    )
    write("patch", CARD, memory_total_gb=80)
    assert (get(SLICE)["share"], get(SLICE)["cost_per_hour_usd"]) == (0.125, 0.2625)
    assert get("/gpus/MIG-1")["cost_per_hour_usd"] == 0.2625
    settings.COST_SHARE = "sm"
    assert get(SLICE)["cost_per_hour_usd"] == 0.3
    settings.COST_SHARE = "equal"
    assert get(SLICE)["cost_per_hour_usd"] == 1.05
    assert write("patch", SLICE, cost_per_hour_usd=0.5)["cost_per_hour_usd"] == 0.5


def test_an_apple_gpu_without_a_card_is_its_own(ingest: Ingest, get: Get, write: Write) -> None:
    ingest(request(span(attributes=gpu(0, resource_uuid="apple-m3", user_label="mps:0", model="M3", vendor="Apple"))))
    sync_registry()
    one = get("/gpus/apple-m3")
    assert (one["resource_type"], one["physical_uuid"], one["vendor"]) == ("full_gpu", "apple-m3", "Apple")
    assert (one["physical"]["model"], one["siblings"]) == ("M3", [])
    write("patch", f"{CARDS}/apple-m3", cost_per_hour_usd=0.2)
    assert get("/gpus/apple-m3")["cost_per_hour_usd"] == 0.2


def test_a_correction_reaches_clickhouse_with_the_next_synchronisation(
    seen: Any, get: Get, write: Write, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    seen()
    with django_capture_on_commit_callbacks(execute=True):
        write("post", f"{CARDS}/bulk", [{"uuid": "GPU-1", "node_id": "rack-7", "model": "H200"}], status=200)
    sync_registry()
    assert Node.objects.filter(name="rack-7").exists()
    assert get("/traces", node_id="rack-7")["total"] == 1
