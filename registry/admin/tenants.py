"""Tenants, with links to all that is theirs."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from registry.admin.base import RegistryAdmin
from registry.admin.counts import count_of
from registry.admin.history import HistoryMixin
from registry.admin.links import filtered_list
from registry.models import ApiKey, ComputeResource, Node, PhysicalGPU, Tenant


@admin.register(Tenant)
class TenantAdmin(HistoryMixin, RegistryAdmin):
    list_display = ("slug", "name", "nodes", "cards", "resources", "keys", "retention_days", "created_at")
    search_fields = ("slug", "name")
    ordering = ("slug",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        tenants: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(
                node_count=count_of(Node.objects.all(), "tenant"),
                card_count=count_of(PhysicalGPU.objects.all(), "tenant"),
                resource_count=count_of(ComputeResource.objects.all(), "tenant"),
                key_count=count_of(ApiKey.objects.all(), "tenant"),
            )
        )
        return tenants

    def get_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        fields = ("slug", "name", "retention_days")
        return fields if obj is None else (*fields, "created_at", "nodes", "cards", "resources", "keys")

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        return () if obj is None else ("slug", "created_at", "nodes", "cards", "resources", "keys")

    @admin.display(ordering="node_count")
    def nodes(self, tenant: Any) -> SafeString:
        return filtered_list("node", tenant.node_count, tenant__id__exact=tenant.pk)

    @admin.display(ordering="card_count")
    def cards(self, tenant: Any) -> SafeString:
        return filtered_list("physicalgpu", tenant.card_count, tenant__id__exact=tenant.pk)

    @admin.display(ordering="resource_count")
    def resources(self, tenant: Any) -> SafeString:
        return filtered_list("computeresource", tenant.resource_count, tenant__id__exact=tenant.pk)

    @admin.display(ordering="key_count", description="API keys")
    def keys(self, tenant: Any) -> SafeString:
        return filtered_list("apikey", tenant.key_count, tenant__id__exact=tenant.pk)
