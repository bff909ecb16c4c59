"""Headers that no middleware of a library sends: which devices pages may use, and what the admin's pages may run."""

from collections.abc import Callable
from typing import Final

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

# https://www.w3.org/TR/permissions-policy/#permissions-policy-http-header-field
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()" for feature in ("camera", "geolocation", "microphone", "payment", "usb", "display-capture")
)


class PermissionsPolicyMiddleware:
    """Add Permissions-Policy to each answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["Permissions-Policy"] = PERMISSIONS_POLICY
        return response


# What the admin's pages need beyond the strict policy, each as little as a browser has a word for:
# - Alpine, by which unfold opens menus and turns dark, compiles the expressions of its attributes with Function(); its
#   build that does not reads too few of them. Scripts still come from this server's files alone and none stands in a
#   page, but whoever could write an attribute into a page could run a script: Django's escaping is what forbids it.
# - Style attributes, which Alpine and Django's select boxes set. Style elements stay forbidden.
_ADMIN_POLICY: Final = {"script-src": [SELF, UNSAFE_EVAL], "style-src-attr": [UNSAFE_INLINE]}


class AdminPolicyMiddleware:
    """Loosen the Content-Security-Policy for the admin's pages, and for no other answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.strict = get_response
        self.loosened: Callable[[HttpRequest], HttpResponseBase] = csp_update(_ADMIN_POLICY)(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_admin = request.path_info.startswith(reverse("admin:index"))
        return self.loosened(request) if is_admin else self.strict(request)
