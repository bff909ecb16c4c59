"""Whose data a request may see."""

from django.conf import settings
from rest_framework.request import Request


def tenant_of(_request: Request) -> str:
    """Return the tenant that every query of this request is bound to."""
    return settings.DEFAULT_TENANT
