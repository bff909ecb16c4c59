"""The registry in the Django admin: found, linked, corrected, without a query for each row."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from registry.mirror import mirror_is_due
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext, Tenant

pytestmark = pytest.mark.django_db

MODELS = ("tenant", "node", "physicalgpu", "computeresource", "resourcecontext")
NOW = timezone.now()


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.get_or_create(slug="default", defaults={"name": "default"})[0]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ops"))
    return client


def node(tenant: Tenant, number: int) -> PhysicalGPU:
    """Create a card with two slices, the first of which has one holder and one who left."""
    machine = Node.objects.create(tenant=tenant, name=f"node-{number}")
    card = PhysicalGPU.objects.create(tenant=tenant, uuid=f"GPU-{number}", set_model="H100", set_node=machine)
    slices = [
        ComputeResource.objects.create(
            tenant=tenant, uuid=f"MIG-{number}-{n}", set_physical=card, set_resource_type="mig_3g.40gb"
        )
        for n in range(2)
    ]
    for pod, detached_at in (("here", None), ("left", NOW)):
        ResourceContext.objects.create(
            resource=slices[0], user_label="cuda:0", pod=f"{pod}-{number}", attached_at=NOW, detached_at=detached_at
        )
    return card


def page(client: Client, name: str, *args: object, **query: str) -> str:
    response = client.get(reverse(f"admin:registry_{name}", args=args), query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(staff: Client, tenant: Tenant, model: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(staff, f"{model}_changelist")
        return len(captured)

    node(tenant, 0)
    page(staff, f"{model}_changelist")  # fills the content type cache
    few = queries()
    for number in range(1, 8):
        Tenant.objects.create(slug=f"tenant-{number}", name=f"tenant {number}")
        node(tenant, number)
    assert queries() == few


@pytest.mark.parametrize(
    ("model", "text", "found"),
    [
        ("tenant", "default", "default"),
        ("physicalgpu", "node-1", "GPU-1"),
        ("physicalgpu", "MIG-1-1", "GPU-1"),
        ("computeresource", "GPU-1", "MIG-1-0"),
        ("computeresource", "node-1", "MIG-1-1"),
        ("resourcecontext", "here-1", "MIG-1-0"),
        ("resourcecontext", "GPU-1", "here-1"),
    ],
)
def test_a_search_finds_it(staff: Client, tenant: Tenant, model: str, text: str, found: str) -> None:
    for number in range(2):
        node(tenant, number)

    listed = page(staff, f"{model}_changelist", q=text)
    assert found in listed
    assert found.replace("-1", "-0", 1) not in listed or model == "tenant"


def test_a_card_links_to_its_slices_and_they_to_their_holders(staff: Client, tenant: Tenant) -> None:
    card = node(tenant, 1)
    slice_ = ComputeResource.objects.get(uuid="MIG-1-0")

    cards = page(staff, "physicalgpu_changelist")
    slices_url = f"{reverse('admin:registry_computeresource_changelist')}?physical__id__exact={card.pk}"
    assert f'<a href="{slices_url}">2</a>' in cards

    slices = staff.get(slices_url).content.decode()
    holders_url = reverse("admin:registry_resourcecontext_changelist")
    assert f'<a href="{holders_url}?resource__id__exact={slice_.pk}&amp;detached_at__isempty=1">1</a>' in slices
    assert reverse("admin:registry_physicalgpu_change", args=[card.pk]) in slices

    holders = staff.get(f"{holders_url}?resource__id__exact={slice_.pk}&detached_at__isempty=1").content.decode()
    assert "here-1" in holders
    assert "left-1" not in holders
    assert reverse("admin:registry_computeresource_change", args=[slice_.pk]) in holders


def test_the_page_of_a_card_shows_its_slices_and_that_of_a_slice_its_open_contexts(
    staff: Client, tenant: Tenant
) -> None:
    card = node(tenant, 1)
    slice_ = ComputeResource.objects.get(uuid="MIG-1-0")

    card_page = page(staff, "physicalgpu_change", card.pk)
    assert reverse("admin:registry_computeresource_change", args=[slice_.pk]) in card_page
    slice_page = page(staff, "computeresource_change", slice_.pk)
    assert "here-1" in slice_page
    assert "left-1" not in slice_page


@pytest.mark.parametrize("model", MODELS)
def test_pages_to_add_and_to_change_open(staff: Client, tenant: Tenant, model: str) -> None:
    node(tenant, 1)
    page(staff, f"{model}_add")
    pk = {"tenant": Tenant, "node": Node, "physicalgpu": PhysicalGPU, "computeresource": ComputeResource}.get(
        model, ResourceContext
    )._default_manager.values_list("pk", flat=True)[0]
    page(staff, f"{model}_change", pk)


@pytest.mark.usefixtures("clickhouse_away")
def test_an_edit_stands_while_clickhouse_is_away_and_demands_the_mirror(
    staff: Client,
    tenant: Tenant,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    card = node(tenant, 1)
    cache.clear()
    assert mirror_is_due()
    assert not mirror_is_due()

    form = {
        "set_model": "H100 SXM5",
        "set_vendor": "NVIDIA",
        "set_node": str(Node.objects.create(tenant=tenant, name="rack-7").pk),
        "set_memory_total_gb": "79.6",
        "labels": "{}",
        "cost_per_hour_usd": "2.85",
        "compute_resources-TOTAL_FORMS": "0",
        "compute_resources-INITIAL_FORMS": "0",
    }
    with django_capture_on_commit_callbacks(execute=True):
        response = staff.post(reverse("admin:registry_physicalgpu_change", args=[card.pk]), form)

    assert response.status_code == 302
    card.refresh_from_db()
    assert (card.model, str(card.node), str(card.cost_per_hour_usd)) == ("H100 SXM5", "rack-7", "2.850000")
    assert mirror_is_due()


def test_a_resource_cannot_be_put_on_a_card_of_another_tenant(staff: Client, tenant: Tenant) -> None:
    card = node(Tenant.objects.create(slug="vision-lab", name="Vision Lab"), 1)
    resource = ComputeResource.objects.create(tenant=tenant, uuid="MIG-mine")

    form = {"set_physical": card.pk, "labels": "{}", "contexts-TOTAL_FORMS": "0", "contexts-INITIAL_FORMS": "0"}
    response = staff.post(reverse("admin:registry_computeresource_change", args=[resource.pk]), form)

    assert "belongs to another tenant" in response.content.decode()
    resource.refresh_from_db()
    assert resource.physical is None


def test_selected_contexts_are_ended_and_ended_ones_left_as_they_are(staff: Client, tenant: Tenant) -> None:
    node(tenant, 1)
    ended_at = NOW - timedelta(hours=1)
    ResourceContext.objects.update(attached_at=ended_at)
    ResourceContext.objects.filter(pod="left-1").update(detached_at=ended_at)

    response = staff.post(
        reverse("admin:registry_resourcecontext_changelist"),
        {"action": "detach", "_selected_action": list(ResourceContext.objects.values_list("pk", flat=True))},
        follow=True,
    )

    assert "1 context ended." in response.content.decode()
    assert not ResourceContext.objects.open().exists()
    assert ResourceContext.objects.get(pod="left-1").detached_at == ended_at
