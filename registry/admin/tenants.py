"""Tenants, with links to all that is theirs."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString

from registry.admin.links import filtered_list
from registry.models import ApiKey, ComputeResource, PhysicalGPU, Tenant


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's class takes none at run time
    list_display = ("slug", "name", "cards", "resources", "keys", "created_at")
    search_fields = ("slug", "name")
    ordering = ("slug",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        tenants: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(
                card_count=_count_of(PhysicalGPU.objects.all()),
                resource_count=_count_of(ComputeResource.objects.all()),
                key_count=_count_of(ApiKey.objects.all()),
            )
        )
        return tenants

    def get_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        fields = ("slug", "name")
        return fields if obj is None else (*fields, "created_at", "cards", "resources", "keys")

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        return () if obj is None else ("slug", "created_at", "cards", "resources", "keys")

    @admin.display(ordering="card_count")
    def cards(self, tenant: Any) -> SafeString:
        return filtered_list("physicalgpu", tenant.card_count, tenant__id__exact=tenant.pk)

    @admin.display(ordering="resource_count")
    def resources(self, tenant: Any) -> SafeString:
        return filtered_list("computeresource", tenant.resource_count, tenant__id__exact=tenant.pk)

    @admin.display(ordering="key_count", description="API keys")
    def keys(self, tenant: Any) -> SafeString:
        return filtered_list("apikey", tenant.key_count, tenant__id__exact=tenant.pk)


def _count_of(rows: QuerySet[Any]) -> Coalesce:
    """Count a tenant's rows. Each by itself: counted in one join, cards, resources and keys would multiply."""
    counts = rows.filter(tenant=OuterRef("pk")).order_by().values("tenant").annotate(count=Count("pk"))
    return Coalesce(Subquery(counts.values("count")), 0)
