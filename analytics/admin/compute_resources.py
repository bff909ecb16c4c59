"""Compute resources in the admin, with what they measure."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from analytics.admin.chart import chart_panel
from analytics.admin.readings import Part, ReadingsChangeList, gibibytes, percent
from analytics.queries.gpu_metrics import gpu_metrics
from registry.admin.base import Panel
from registry.admin.compute_resources import ComputeResourceAdmin
from registry.models import ComputeResource

admin.site.unregister(ComputeResource)


@admin.register(ComputeResource)
class MeasuredComputeResourceAdmin(ComputeResourceAdmin):
    list_display = ("resource_uuid", "resource_type", "card", "node", "holders", "used", "memory", "state", "seen")
    list_select_related = ("tenant", "physical__node", "seen_node")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ReadingsChangeList]:
        return ReadingsChangeList

    def parts_of(self, resources: Sequence[ComputeResource]) -> dict[int, list[Part]]:
        """Return each resource itself. No statement."""
        return {resource.pk: [Part((resource.tenant.slug, resource.uuid))] for resource in resources}

    @admin.display(description="utilization")
    def used(self, resource: Any) -> SafeString | None:
        return percent(resource.usage)

    @admin.display(description="memory")
    def memory(self, resource: Any) -> SafeString | None:
        return gibibytes(resource.usage)

    def panels_before(self, request: HttpRequest, obj: ComputeResource) -> Sequence[Panel]:
        def points(**window: Any) -> Any:
            return gpu_metrics(tenant=obj.tenant.slug, resource_uuid=obj.uuid, aggregate="avg", **window)

        return (chart_panel(points), *super().panels_before(request, obj))
