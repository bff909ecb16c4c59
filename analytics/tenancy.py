"""Whose data a request may see."""

from rest_framework.request import Request

from registry.keys import Identity


def tenant_of(request: Request) -> str:
    """Return the tenant that every query of this request is bound to."""
    if not isinstance(request.auth, Identity):
        raise TypeError("HasScope, which stands before every view that asks this, lets no other request in.")
    return request.auth.tenant
