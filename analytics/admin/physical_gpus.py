"""Cards in the admin, with what they measure: the registry's list and page, and the readings of ClickHouse in them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from analytics.admin.chart import chart_panel
from analytics.admin.readings import Part, ReadingsChangeList, gibibytes, percent
from analytics.queries.gpu_metrics import physical_gpu_metrics
from registry.admin.base import Panel
from registry.admin.physical_gpus import PhysicalGPUAdmin
from registry.models import ComputeResource, PhysicalGPU

admin.site.unregister(PhysicalGPU)


@admin.register(PhysicalGPU)
class MeasuredPhysicalGPUAdmin(PhysicalGPUAdmin):
    list_display = (
        *("card_uuid", "model", "node_link", "slices", "holders", "used", "memory"),
        *("cost_per_hour_usd", "conflict", "seen"),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ReadingsChangeList]:
        return ReadingsChangeList

    def parts_of(self, cards: Sequence[PhysicalGPU]) -> dict[int, list[Part]]:
        """Return what is in service of these cards, slices and the whole ones, by the card. One statement."""
        slices = ComputeResource.objects.filter(retired_at=None, physical__in=[card.pk for card in cards])
        parts: dict[int, list[Part]] = defaultdict(list)
        for card, card_uuid, tenant, uuid, gi_id in slices.values_list(
            "physical_id", "physical__uuid", "tenant__slug", "uuid", "gi_id"
        ):
            instance = None if uuid == card_uuid else uuid if gi_id is None else gi_id
            parts[card].append(Part((tenant, uuid), instance))
        return parts

    @admin.display(description="utilization")
    def used(self, card: Any) -> SafeString | None:
        return percent(card.usage)

    @admin.display(description="memory")
    def memory(self, card: Any) -> SafeString | None:
        return gibibytes(card.usage)

    def panels_before(self, request: HttpRequest, obj: PhysicalGPU) -> Sequence[Panel]:
        def points(**window: Any) -> Any:
            return physical_gpu_metrics(tenant=obj.tenant.slug, physical_uuid=obj.uuid, aggregate="avg", **window)

        return (chart_panel(points), *super().panels_before(request, obj))
