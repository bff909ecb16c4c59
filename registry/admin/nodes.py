"""Nodes in the admin: the machines that cards sit in, with what the cloud and the driver are called there."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, AutocompleteSelectFilter

from registry.admin.base import OfOneTenantAdmin, Panel
from registry.admin.counts import count_of
from registry.admin.exchange import ExchangeMixin
from registry.admin.filters import LabelFilter
from registry.admin.labels import LabelsMixin
from registry.admin.links import ago, filtered_list, labels_text, page_of, uuid_text
from registry.exchange.resources import NodeResource
from registry.models import Node, PhysicalGPU

_CARDS_SHOWN: Final = 32


@admin.register(Node)
class NodeAdmin(LabelsMixin, ExchangeMixin, OfOneTenantAdmin):
    resource_classes = (NodeResource,)
    list_display = (
        "name",
        "tenant",
        "cards",
        "cloud_provider",
        "zone",
        "machine_type",
        "driver_version",
        "tags",
        "seen",
    )
    list_select_related = ("tenant",)
    list_filter = (
        ("tenant", AutocompleteSelectFilter),
        ("cloud_provider", AllValuesCheckboxFilter),
        ("region", AllValuesCheckboxFilter),
        ("driver_version", AllValuesCheckboxFilter),
        LabelFilter,
    )
    search_fields = ("name", "machine_type", "region", "zone")
    search_help_text = "name, machine type, region, zone"
    ordering = ("name", "pk")
    key_fields = ("tenant", "name")
    actions = ("set_labels",)
    fieldsets = (
        (None, {"fields": (("tenant", "name"), "labels")}),
        ("Cloud", {"fields": (("cloud_provider", "machine_type"), ("region", "zone"))}),
        ("Software", {"fields": (("driver_version", "cuda_version"),)}),
        ("Seen", {"fields": (("first_seen", "last_seen"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        nodes: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = nodes.annotate(card_count=count_of(PhysicalGPU.objects.all(), "node"))
        return counted

    def panels_after(self, request: HttpRequest, obj: Node) -> Sequence[Panel]:
        cards = PhysicalGPU.objects.filter(node=obj).order_by("pcie_bus_id", "uuid")[:_CARDS_SHOWN]
        rows = [
            (
                page_of("physicalgpu", card.pk, uuid_text(card.uuid)),
                card.model or None,
                None if card.cost_per_hour_usd is None else f"{card.cost_per_hour_usd.normalize():f} USD",
                ago(card.last_seen),
            )
            for card in cards
        ]
        return (
            Panel(
                "Its cards",
                ("UUID", "model", "price per hour", "last seen"),
                rows,
                empty="No card is known to sit in this node.",
                more=filtered_list("physicalgpu", "All cards of this node", node__id__exact=obj.pk),
            ),
        )

    @admin.display(ordering="card_count")
    def cards(self, node: Any) -> SafeString:
        return filtered_list("physicalgpu", node.card_count, node__id__exact=node.pk)

    @admin.display(description="labels")
    def tags(self, node: Node) -> SafeString | None:
        return labels_text(node.labels)

    @admin.display(ordering="last_seen", description="last seen")
    def seen(self, node: Node) -> SafeString | None:
        return ago(node.last_seen)
