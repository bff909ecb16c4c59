"""Who looks at a page, at whose data, and how they like it shown."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from registry.authentication import LocalAuthentication, StaffAuthentication
from registry.models import Tenant

UTC: Final = ZoneInfo("UTC")
THEMES: Final = frozenset({"light", "dark"})
NO_SUCH_TENANT: Final = "There is no such tenant."


@dataclass(frozen=True)
class Viewer:
    """Whoever is on this machine sees the default tenant as the API shows it; staff see each tenant.

    `theme` is "" where the browser's own preference counts.
    """

    tenant: str
    zone: ZoneInfo
    theme: str
    user: User | None

    @cached_property
    def tenants(self) -> list[str]:
        """The slugs of all tenants, for staff; of others the one that they see. One statement."""
        if self.user is None:
            return [self.tenant]
        return list(Tenant.objects.order_by("slug").values_list("slug", flat=True))


def viewer_of(request: HttpRequest) -> Viewer | None:
    """Return who looks; None where they have to log in first. Raises NotFound for a tenant that is none."""
    asked = Request(request, authenticators=[StaffAuthentication(), LocalAuthentication()])
    if asked.auth is None:
        return None
    user: Any = asked.user if asked.user.is_authenticated else None
    tenant = request.GET.get("tenant") or settings.DEFAULT_TENANT
    viewer = Viewer(tenant, _zone(request), _theme(request), user)
    if user is None and tenant != settings.DEFAULT_TENANT:
        return None
    if tenant != settings.DEFAULT_TENANT and tenant not in viewer.tenants:
        raise NotFound(NO_SUCH_TENANT)
    return viewer


def _zone(request: HttpRequest) -> ZoneInfo:
    """Return the time zone that the viewer chose, UTC where that is none."""
    try:
        return ZoneInfo(request.COOKIES.get("zone") or "UTC")
    except (KeyError, ValueError, OSError):  # no such zone, no name of one, the name of a directory
        return UTC


def _theme(request: HttpRequest) -> str:
    theme = request.COOKIES.get("theme", "")
    return theme if theme in THEMES else ""
