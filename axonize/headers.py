"""What no middleware of a library sends: that pages of this server use none of a browser's devices."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

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
