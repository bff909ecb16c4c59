"""Resource contexts: the registry's records of who held a resource, when, and under what label."""

import re
from typing import Any, ClassVar, Final

from analytics.filters import ResourceContextFilter
from analytics.registry_serializers import ResourceContextPageSerializer, ResourceContextSerializer
from analytics.views.examples import HOLDER, SLICE_UUID
from analytics.views.labelled import LABELS_PARAMETER, LabelledPageParameters
from analytics.views.registry import RegistryViews
from analytics.views.registry_docs import documented
from registry.models import ResourceContext

CONTEXT: Final = {"id": 17, "resource_uuid": SLICE_UUID, **HOLDER}


class ResourceContextListParameters(LabelledPageParameters):
    """What `GET /resource-contexts` takes."""

    filters = ResourceContextFilter


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
