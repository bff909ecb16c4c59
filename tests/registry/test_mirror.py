"""What operations correct reaches the dictionary that every query reads."""

from decimal import Decimal

import pytest
from clickhouse_connect.driver import Client
from django.core.cache import cache
from pytest_django import DjangoCaptureOnCommitCallbacks

from axonize.clickhouse.client import get_client
from axonize.clickhouse.errors import ClickHouseError
from registry.mirror import demand_mirror, mirror_registry
from registry.models import ComputeResource, Node, PhysicalGPU
from registry.sync import sync_registry
from tests.registry.conftest import CARD, SLICE, See

pytestmark = pytest.mark.django_db

H100 = "NVIDIA H100 80GB HBM3"


@pytest.fixture
def slice_on_card(see: See) -> ComputeResource:
    see(
        resource_uuid=SLICE,
        physical_uuid=CARD,
        model=H100,
        vendor="NVIDIA",
        node_id="dgx-h100-02",
        resource_type="mig_1g.10gb",
    )
    sync_registry()
    resource: ComputeResource = ComputeResource.objects.select_related("physical").get()
    return resource


def dictionary(uuid: str = SLICE, tenant: str = "default") -> tuple[object, ...]:
    """Return what any query gets for a resource, known or not."""
    names = ("physical_uuid", "model", "vendor", "node_id", "resource_type", "cost_per_hour_usd")
    columns = ", ".join(f"dictGet('registry', '{name}', ({{tenant:String}}, {{uuid:String}}))" for name in names)
    result = get_client().query(f"SELECT {columns}", parameters={"tenant": tenant, "uuid": uuid})
    return tuple(result.result_rows[0])


UNKNOWN = ("", "", "", "", "", None)


@pytest.mark.usefixtures("slice_on_card")
def test_a_span_that_names_only_a_resource_finds_its_card_in_the_dictionary() -> None:
    assert dictionary() == (CARD, H100, "NVIDIA", "dgx-h100-02", "mig_1g.10gb", None)
    assert dictionary(tenant="vision-lab") == UNKNOWN


@pytest.mark.usefixtures("slice_on_card")
def test_a_run_that_changes_nothing_writes_nothing(clickhouse: Client) -> None:
    assert mirror_registry() == 0
    assert clickhouse.query("SELECT count() FROM registry_resources").result_rows == [(1,)]


def test_a_committed_edit_of_the_card_is_mirrored_by_the_next_run(
    slice_on_card: ComputeResource, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    card = slice_on_card.physical
    assert card is not None
    with django_capture_on_commit_callbacks(execute=True):
        card.cost_per_hour_usd = Decimal("2.85")
        card.set_memory_total_gb = 80
        card.set_node = Node.objects.create(tenant=card.tenant, name="dgx-h100-07")
        card.save()
    sync_registry()

    assert dictionary() == (CARD, H100, "NVIDIA", "dgx-h100-07", "mig_1g.10gb", Decimal("0.356250"))


def test_a_slice_that_moves_to_another_card_is_mirrored(
    slice_on_card: ComputeResource, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        slice_on_card.set_physical = PhysicalGPU.objects.create(
            tenant=slice_on_card.tenant, uuid="GPU-new", set_model="H200"
        )
        slice_on_card.save()
    sync_registry()

    assert dictionary()[:2] == ("GPU-new", "H200")


@pytest.mark.usefixtures("slice_on_card")
def test_a_deleted_card_and_a_deleted_resource_are_forgotten(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        PhysicalGPU.objects.get().delete()
    mirror_registry()
    # What the slice's own spans say stays true.
    assert dictionary() == ("", H100, "NVIDIA", "dgx-h100-02", "mig_1g.10gb", None)

    with django_capture_on_commit_callbacks(execute=True):
        ComputeResource.objects.get().delete()
    mirror_registry()
    assert dictionary() == UNKNOWN
    assert mirror_registry() == 0


@pytest.mark.usefixtures("slice_on_card")
def test_a_change_that_sent_no_signal_is_found_when_the_comparison_is_due() -> None:
    PhysicalGPU.objects.update(set_model="H100 SXM5")
    sync_registry()
    assert dictionary()[1] == H100

    cache.clear()  # as when the time is up
    sync_registry()
    assert dictionary()[1] == "H100 SXM5"


@pytest.mark.usefixtures("slice_on_card")
def test_a_clickhouse_that_begins_anew_is_filled_again(clickhouse: Client) -> None:
    clickhouse.command("TRUNCATE TABLE registry_resources")
    clickhouse.command("SYSTEM RELOAD DICTIONARY registry")
    assert dictionary() == UNKNOWN

    demand_mirror()
    sync_registry()
    assert dictionary()[0] == CARD


@pytest.mark.usefixtures("slice_on_card")
def test_a_reload_that_failed_is_made_up_for(clickhouse: Client) -> None:
    PhysicalGPU.objects.update(set_model="H100 SXM5")
    # As after a mirror that died between its insert and its reload.
    clickhouse.command(
        "INSERT INTO registry_resources"
        " SELECT * REPLACE ('H100 SXM5' AS model, version + 1 AS version) FROM registry_resources"
    )
    assert dictionary()[1] == H100

    assert mirror_registry() == 1
    assert dictionary()[1] == "H100 SXM5"


def test_a_mirror_that_failed_is_tried_again_by_the_next_run(see: See, clickhouse: Client) -> None:
    see(resource_uuid=SLICE, physical_uuid=CARD)
    clickhouse.command("DETACH TABLE registry_resources")
    try:
        with pytest.raises(ClickHouseError):
            sync_registry()
    finally:
        clickhouse.command("ATTACH TABLE registry_resources")
    assert dictionary() == UNKNOWN

    sync_registry()
    assert dictionary()[0] == CARD


def test_a_memory_next_to_nothing_that_some_span_says_holds_up_no_other_resource(see: See) -> None:
    see(resource_uuid=CARD, physical_uuid=CARD, resource_type="full_gpu", memory_total_gb=5e-324)
    see(resource_uuid=SLICE, physical_uuid=CARD, model=H100, resource_type="mig_1g.10gb")
    sync_registry()
    assert dictionary()[:2] == (CARD, H100)
