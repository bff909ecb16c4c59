"""What the tests of the admin's pages share: who works there, hardware to work on, and ways to ask and to act."""

from collections.abc import Callable, Sequence
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from registry.models import ComputeResource, Node, PhysicalGPU, Tenant

Page = Callable[..., str]
Act = Callable[..., str]


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.get_or_create(slug="default", defaults={"name": "default"})[0]


@pytest.fixture
def ops(client: Client) -> Client:
    """Return a client logged in as `ops`, who may do all."""
    client.force_login(User.objects.create_superuser("ops"))
    return client


@pytest.fixture
def page(ops: Client) -> Page:
    """Return a page of the admin as text: `page("physicalgpu_changelist", q="GPU")`."""

    def get(name: str, *args: object, **query: str) -> str:
        answer = ops.get(reverse(f"admin:registry_{name}", args=args), query)
        assert answer.status_code == 200, answer
        return unescape(answer.content.decode())

    return get


@pytest.fixture
def act(ops: Client) -> Act:
    """Run an action on chosen rows of a list, with the answers that it asks for; return the page it ends on."""

    def post(action: str, chosen: Sequence[Any], **answers: Any) -> str:
        address = reverse(f"admin:registry_{chosen[0]._meta.model_name}_changelist")
        sent = {"action": action, "_selected_action": [row.pk for row in chosen], **answers}
        return unescape(ops.post(address, sent, follow=True).content.decode())

    return post


def staff(client: Client, *codenames: str) -> Client:
    """Log a user in who is staff and has these permissions of the registry, and no others."""
    user = User.objects.create_user("staff", is_staff=True)
    permissions = Permission.objects.filter(codename__in=codenames, content_type__app_label="registry")
    assert len(permissions) == len(codenames)
    user.user_permissions.set(permissions)
    client.force_login(user)
    return client


def new_card(tenant: Tenant, uuid: str, *, node: str = "node-1", slices: int = 0, **fields: Any) -> PhysicalGPU:
    """Return a card as sightings leave it, on a node, with slices named after it: `MIG-1-0` of `GPU-1`."""
    machine, _ = Node.objects.get_or_create(tenant=tenant, name=node)
    seen = {"seen_model": "H100", "seen_vendor": "NVIDIA", "seen_node": machine}
    card = PhysicalGPU.objects.create(tenant=tenant, uuid=uuid, **{**seen, **fields})
    for number in range(slices):
        ComputeResource.objects.create(
            tenant=tenant,
            uuid=f"{uuid.replace('GPU', 'MIG')}-{number}",
            seen_physical=card,
            seen_resource_type="mig_3g.40gb",
        )
    return card
