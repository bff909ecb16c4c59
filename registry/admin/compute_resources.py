"""What processes can run on, in the admin: a whole card or a slice of one, put on its card, retired."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, AutocompleteSelectFilter

from registry.admin.actions import ask
from registry.admin.base import OfOneTenantAdmin, Panel, ReadOnlyInline
from registry.admin.corrections import CorrectionsMixin, locked, told
from registry.admin.counts import count_of
from registry.admin.exchange import ExchangeMixin
from registry.admin.filters import ConflictFilter, LabelFilter, RetiredFilter
from registry.admin.labels import LabelsMixin
from registry.admin.links import ago, filtered_list, page_of, uuid_text
from registry.exchange.resources import ComputeResourceResource
from registry.history import update_many
from registry.models import ComputeResource, ResourceContext, RetiredBy


class HolderInline(ReadOnlyInline):
    """The open contexts only: the closed ones of a slice grow without end, and have their own list."""

    model = ResourceContext
    verbose_name_plural = "who holds it now"
    fields = ("user_label", "hostname", "pod", "process_id", "labels", "attached_at", "last_seen")
    ordering = ("-attached_at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResourceContext]:
        contexts: QuerySet[ResourceContext] = super().get_queryset(request)
        return contexts.filter(detached_at=None)


@admin.register(ComputeResource)
class ComputeResourceAdmin(LabelsMixin, CorrectionsMixin, ExchangeMixin, OfOneTenantAdmin):
    resource_classes = (ComputeResourceResource,)
    export_related = ("tenant", "set_physical", "seen_physical")
    facts: ClassVar = {
        "physical_uuid": "physical",
        "resource_type": "resource_type",
        "memory_total_gb": "memory_total_gb",
    }
    list_display: Sequence[str] = ("resource_uuid", "resource_type", "card", "node", "holders", "state", "seen")
    list_filter = (
        ("tenant", AutocompleteSelectFilter),
        ("physical", AutocompleteSelectFilter),
        ("physical", admin.EmptyFieldListFilter),
        ("physical__node", AutocompleteSelectFilter),
        ("resource_type", AllValuesCheckboxFilter),
        RetiredFilter,
        LabelFilter,
        ConflictFilter,
    )
    search_fields = ("uuid", "physical__uuid", "physical__node__name", "seen_node__name", "contexts__hostname")
    search_help_text = "UUID of the resource or of its card, node, host of a holder"
    ordering = ("physical__node__name", "physical__uuid", "uuid")
    autocomplete_fields = ("tenant", "set_physical")
    list_select_related: Sequence[str] = ("physical__node", "seen_node")
    inlines = (HolderInline,)
    actions = ("retire", "take_back", "set_labels", "accept_seen", "clear_corrections")
    seen_fields = ("all_contexts", "card", "counted_profile", "counted_share", "first_seen", "last_seen")
    follows: ClassVar = {"retired_at": "retired_by"}
    fieldsets = (
        (None, {"fields": (("tenant", "uuid"), ("card", "all_contexts"), ("set_cost_per_hour_usd", "labels"))}),
        (
            "Corrections",
            {
                "fields": ("set_physical", ("set_resource_type", "set_memory_total_gb")),
                "description": "What is blank here is as it was seen.",
            },
        ),
        (
            "MIG",
            {
                "fields": (
                    ("counted_profile", "set_mig_profile"),
                    ("counted_share", "set_sm_share"),
                    ("gi_id", "ci_id"),
                ),
            },
        ),
        ("Service", {"fields": ("retired_at", ("first_seen", "last_seen"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        resources: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = resources.annotate(
            holder_count=count_of(ResourceContext.objects.open(), "resource"),
            context_count=count_of(ResourceContext.objects.all(), "resource"),
        )
        return counted

    def panels_before(self, request: HttpRequest, obj: ComputeResource) -> Sequence[Panel]:
        return self.facts_panel(request, obj)

    @admin.action(description="Retire: it is not there any more", permissions=["change"])
    def retire(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        def change(chosen: QuerySet[Any], _: dict[str, Any]) -> str:
            return told(_retire(chosen, is_retired=True), "resource", "retired; what they did stays")

        return ask(self, request, chosen, form_class=forms.Form, title="Retire", change=change)

    @admin.action(description="Take back into service", permissions=["change"])
    def take_back(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        self.message_user(request, told(_retire(chosen, is_retired=False), "resource", "taken back into service"))

    @admin.display(ordering="uuid", description="UUID")
    def resource_uuid(self, resource: ComputeResource) -> SafeString:
        return uuid_text(resource.uuid)

    @admin.display(ordering="physical__uuid")
    def card(self, resource: ComputeResource) -> SafeString | None:
        card = resource.physical
        return None if card is None else page_of("physicalgpu", card.pk, uuid_text(card.uuid))

    @admin.display(ordering="physical__node__name")
    def node(self, resource: ComputeResource) -> SafeString | None:
        node = (resource.physical and resource.physical.node) or resource.seen_node
        return None if node is None else page_of("node", node.pk, node)

    @admin.display(ordering="holder_count", description="held by")
    def holders(self, resource: Any) -> SafeString:
        filters = {"resource__id__exact": resource.pk, "detached_at__isempty": 1}
        return filtered_list("resourcecontext", resource.holder_count, **filters)

    @admin.display(ordering="retired_at")
    def state(self, resource: ComputeResource) -> SafeString | str:
        return "retired" if resource.retired_at is not None else self.conflict(resource)

    @admin.display(ordering="last_seen", description="last seen")
    def seen(self, resource: ComputeResource) -> SafeString | None:
        return ago(resource.last_seen)

    @admin.display(description="profile that counts")
    def counted_profile(self, resource: ComputeResource) -> str:
        return str(resource.mig_profile)

    @admin.display(description="share of SMs that counts")
    def counted_share(self, resource: ComputeResource) -> str | None:
        return None if resource.sm_share is None else f"{resource.sm_share:.4g}"

    @admin.display(description="contexts, the ended ones too")
    def all_contexts(self, resource: Any) -> SafeString:
        return filtered_list("resourcecontext", resource.context_count, resource__id__exact=resource.pk)


def _retire(chosen: QuerySet[Any], *, is_retired: bool) -> int:
    """Retire or take back those that are not yet; return how many."""
    with transaction.atomic():
        resources = [resource for resource in locked(chosen) if (resource.retired_at is not None) != is_retired]
        for resource in resources:
            resource.retired_at = timezone.now() if is_retired else None
            resource.retired_by = RetiredBy.OPERATOR if is_retired else ""
        update_many(ComputeResource, resources, ["retired_at", "retired_by"])
    return len(resources)
