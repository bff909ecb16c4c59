"""Resource contexts: the registry's records of who held a resource, when, and under what label."""

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from analytics.filters import ResourceContextFilter, parameter_fields
from analytics.params import PageParameters
from analytics.registry_serializers import ResourceContextPageSerializer, ResourceContextSerializer
from analytics.views.examples import HOLDER, SLICE_UUID
from analytics.views.registry import RegistryViews
from analytics.views.registry_docs import documented
from registry.models import ResourceContext

LABEL_PREFIX: Final = "labels."
LABELS_PARAMETER: Final = OpenApiParameter(
    "labels.KEY",
    str,
    description="KEY is a label's key, as in `labels.team=search`; repeatable. Numbers, bools and null match by their "
    "text too.",
)
CONTEXT: Final = {"id": 17, "resource_uuid": SLICE_UUID, **HOLDER, "ended_by": ""}
# Short enough for PostgreSQL's numbers, and for Python to read it without limit.
_NO_TEXT: Final = re.compile(r"true|false|null|-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,100})?")


class ResourceContextListParameters(PageParameters):
    """What `GET /resource-contexts` takes."""

    has_attributes = True
    attribute_prefix = LABEL_PREFIX

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), **parameter_fields(ResourceContextFilter)}


@documented(
    names=("resource_context", "resource_contexts"),
    serializer=ResourceContextSerializer,
    page=ResourceContextPageSerializer,
    parameters=[ResourceContextListParameters, LABELS_PARAMETER],
    example=CONTEXT,
    change={"detached_at": "2026-02-07T10:05:00Z"},
    deletes="Delete a context. A holder that goes on running spans gets a new one.",
)
class ResourceContextViews(RegistryViews):
    queryset = ResourceContext.objects.select_related("resource")
    serializer_class = ResourceContextSerializer
    page_serializer = ResourceContextPageSerializer
    rows_field = "resource_contexts"
    list_parameters = ResourceContextListParameters
    filters = ResourceContextFilter
    order = ("-attached_at", "-id")
    noun = "resource context"
    key_pattern = re.compile("[0-9]{1,19}")
    tenant_lookup = "resource__tenant__slug"
    lookup_field = model_key = "id"
    refusals: ClassVar = {
        "resource_context_one_per_holder": (
            "detached_at",
            "This holder has a context of this resource already that nobody ended. Give one of them a detached_at.",
        ),
        "resource_context_attached_before_detached": (
            "detached_at",
            "Give a detached_at that is not before attached_at.",
        ),
    }

    def owner(self) -> dict[str, Any]:
        """Return nothing: a context belongs to the tenant of its resource."""
        return {}

    def narrowed(self, rows: QuerySet[Any], parameters: Mapping[str, Any]) -> QuerySet[Any]:
        return rows.filter(*(_has_label(key, text) for key, text in parameters["attributes"]))


def _has_label(key: str, text: str) -> Q:
    """Return the condition that a label has this text, or is a number, bool or null that JSON writes so."""
    is_it = Q(labels__contains={key: text})
    return is_it | Q(labels__contains={key: json.loads(text)}) if _NO_TEXT.fullmatch(text) else is_it
