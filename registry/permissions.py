"""What a request may do: whoever reads needs the scope `read`, whoever changes something `admin`."""

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from registry.keys import Identity, Scope


class HasScope(BasePermission):
    """Lets in who has the scope that the method asks for."""

    def has_permission(self, request: Request, view: object) -> bool:  # noqa: ARG002  DRF's signature
        if not isinstance(request.auth, Identity):
            raise NotAuthenticated("This needs an API key: send it as `Authorization: Bearer ax_…`.")
        scope = Scope.READ if request.method in SAFE_METHODS else Scope.ADMIN
        self.message = f"This needs an API key with the scope `{scope}`."
        return request.auth.may(scope)
