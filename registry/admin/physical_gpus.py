"""Cards in the admin: found, corrected, priced, moved; each with its slices and who held them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from registry.admin.actions import ask
from registry.admin.base import OfOneTenantAdmin, Panel
from registry.admin.card_panels import card_panels
from registry.admin.corrections import CorrectionsMixin, locked, told
from registry.admin.counts import count_of
from registry.admin.exchange import ExchangeMixin
from registry.admin.filters import ConflictFilter, LabelFilter
from registry.admin.labels import LabelsMixin
from registry.admin.links import ago, filtered_list, page_of, uuid_text
from registry.exchange.resources import PhysicalGPUResource
from registry.history import update_many
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext


class PriceForm(forms.Form):
    price = forms.DecimalField(
        label="Price per hour (USD)",
        min_value=Decimal(0),
        max_digits=18,
        decimal_places=6,
        required=False,
        help_text="Of each whole card. Blank: no price.",
        widget=UnfoldAdminDecimalFieldWidget,
    )


class NodeForm(forms.Form):
    node = forms.ModelChoiceField(
        Node.objects.all(),
        help_text="The machine that the cards sit in now.",
        widget=AutocompleteSelect(PhysicalGPU._meta.get_field("set_node"), admin.site),  # noqa: SLF001  Django's way
    )


@admin.register(PhysicalGPU)
class PhysicalGPUAdmin(LabelsMixin, CorrectionsMixin, ExchangeMixin, OfOneTenantAdmin):
    resource_classes = (PhysicalGPUResource,)
    export_related = ("tenant", "set_node", "seen_node")
    facts: ClassVar = {"model": "model", "vendor": "vendor", "node_id": "node", "memory_total_gb": "memory_total_gb"}
    list_display: Sequence[str] = (
        *("card_uuid", "model", "node_link", "slices", "holders", "cost_per_hour_usd", "conflict", "seen"),
    )
    list_editable = ("cost_per_hour_usd",)
    list_select_related: Sequence[str] = ("node",)
    list_filter = (
        ("tenant", AutocompleteSelectFilter),
        ("node", AutocompleteSelectFilter),
        ("vendor", AllValuesCheckboxFilter),
        ("model", AllValuesCheckboxFilter),
        ("cost_per_hour_usd", admin.EmptyFieldListFilter),
        LabelFilter,
        ConflictFilter,
    )
    search_fields = ("uuid", "model", "node__name", "compute_resources__uuid")
    search_help_text = "UUID of the card or of a slice, model, node"
    ordering = ("node__name", "uuid")
    autocomplete_fields = ("tenant", "set_node")
    actions = ("set_price", "move_to_node", "set_labels", "accept_seen", "clear_corrections")
    fieldsets = (
        (None, {"fields": (("tenant", "uuid"), ("cost_per_hour_usd", "labels"))}),
        (
            "Corrections",
            {
                "fields": (("set_model", "set_vendor"), ("set_node", "set_memory_total_gb")),
                "description": "What is blank here is as it was seen.",
            },
        ),
        ("Hardware", {"fields": (("architecture", "compute_capability"), ("sm_count", "tflops"), "tdp_watts")}),
        ("Place", {"fields": (("numa_node", "pcie_bus_id"), ("first_seen", "last_seen"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        cards: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = cards.annotate(
            slice_count=count_of(ComputeResource.objects.filter(retired_at=None), "physical"),
            holder_count=count_of(ResourceContext.objects.open(), "resource__physical"),
        )
        return counted

    def panels_before(self, request: HttpRequest, obj: PhysicalGPU) -> Sequence[Panel]:
        return self.facts_panel(request, obj)

    def panels_after(self, request: HttpRequest, obj: PhysicalGPU) -> Sequence[Panel]:
        return tuple(card_panels(obj))

    @admin.action(description="Set the price", permissions=["change"])
    def set_price(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        def change(chosen: QuerySet[Any], answer: dict[str, Any]) -> str:
            with transaction.atomic():
                cards = [card for card in locked(chosen) if card.cost_per_hour_usd != answer["price"]]
                for card in cards:
                    card.cost_per_hour_usd = answer["price"]
                update_many(PhysicalGPU, cards, ["cost_per_hour_usd"])
            return told(len(cards), "card", "priced anew")

        return ask(self, request, chosen, form_class=PriceForm, title="Set the price of", change=change)

    @admin.action(description="Move to a node", permissions=["change"])
    def move_to_node(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        def change(chosen: QuerySet[Any], answer: dict[str, Any]) -> str:
            node = answer["node"]
            with transaction.atomic():
                others = [card for card in locked(chosen) if card.set_node_id != node.pk]
                cards = [card for card in others if card.tenant_id == node.tenant_id]
                for card in cards:
                    card.set_node = node
                update_many(PhysicalGPU, cards, ["set_node"])
            left = len(others) - len(cards)
            moved = told(len(cards), "card", f"moved to {node}")
            return f"{moved} {told(left, 'card', 'of another tenant left where they are')}" if left else moved

        return ask(self, request, chosen, form_class=NodeForm, title="Move to another node:", change=change)

    @admin.display(ordering="uuid", description="UUID")
    def card_uuid(self, card: PhysicalGPU) -> SafeString:
        return uuid_text(card.uuid)

    @admin.display(ordering="node__name", description="node")
    def node_link(self, card: PhysicalGPU) -> SafeString | None:
        return None if card.node is None else page_of("node", card.node.pk, card.node)

    @admin.display(ordering="slice_count")
    def slices(self, card: Any) -> SafeString:
        return filtered_list("computeresource", card.slice_count, physical__id__exact=card.pk)

    @admin.display(ordering="holder_count", description="held by")
    def holders(self, card: Any) -> SafeString:
        filters = {"resource__physical__id__exact": card.pk, "detached_at__isempty": 1}
        return filtered_list("resourcecontext", card.holder_count, **filters)

    @admin.display(ordering="last_seen", description="last seen")
    def seen(self, card: PhysicalGPU) -> SafeString | None:
        return ago(card.last_seen)
