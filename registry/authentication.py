"""Who asks the REST API: the holder of a key, staff by their session, or a program on this machine.

`request.auth` is the Identity in each case. What is sent counts: a key that is wrong is never taken for no key.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from axonize.exposure import needs_key
from registry.keys import (
    Identity,
    KeyRefused,
    from_header,
    identify,
    local_identity,
    staff_identity,
)

FORWARDED_HEADERS = frozenset({"X-Forwarded-For", "Forwarded"})
FOREIGN_ORIGIN = (
    "Without an API key a page of another origin changes nothing here. "
    "Send a key, or have the page's origin named in AXONIZE_CORS_ORIGINS."
)


class KeyAuthentication(BaseAuthentication):
    """By `Authorization: Bearer ax_…`, on this machine too. Any other Authorization is refused.

    Raises KeysUnavailable, of which axonize.api makes a 503.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Identity] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        try:
            return AnonymousUser(), identify(from_header(header))
        except KeyRefused as error:
            raise AuthenticationFailed(str(error)) from error

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  DRF's signature
        return "Bearer"


class StaffAuthentication(SessionAuthentication):
    """By a session with staff rights, which acts for the default tenant; another session counts as none."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Identity] | None:
        if not getattr(request._request.user, "is_staff", False):  # noqa: SLF001  as SessionAuthentication does
            return None
        authenticated = super().authenticate(request)
        return None if authenticated is None else (authenticated[0], staff_identity())


class LocalAuthentication(BaseAuthentication):
    """By coming from this machine, where AXONIZE_REQUIRE_API_KEY does not ask for more.

    A browser on this machine shows pages of others, whose requests come from this machine too. They change nothing: a
    browser names the page's origin with every unsafe request (https://fetch.spec.whatwg.org/#origin-header).
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Identity] | None:
        forwarded = not FORWARDED_HEADERS.isdisjoint(request.headers)
        peer = request.META.get("REMOTE_ADDR", "")
        if needs_key(peer, required=settings.REQUIRE_API_KEY, forwarded=forwarded):
            return None
        if request.method not in SAFE_METHODS and not _is_of_known_origin(request):
            raise PermissionDenied(FOREIGN_ORIGIN)
        return AnonymousUser(), local_identity()


def _is_of_known_origin(request: Request) -> bool:
    """Tell whether a page of this server or of a named origin asks, or no page at all."""
    origin = request.headers.get("Origin")
    own = f"{request.scheme}://{request.get_host()}"  # a host of ALLOWED_HOSTS, so no name that was made to lead here
    return origin is None or origin == own or origin in settings.CORS_ALLOWED_ORIGINS


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library's metaclass
    """The key in the OpenAPI document, whose page then has its Authorize button."""

    target_class = KeyAuthentication
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002  the library's signature
        return {"type": "http", "scheme": "bearer", "description": "An API key, `ax_…`: `manage.py create_api_key`."}


class StaffScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # as above
    target_class = StaffAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002  as above
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The session of a user with staff rights, of the admin.",
        }
