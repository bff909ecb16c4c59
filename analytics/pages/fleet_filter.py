"""What the URL of the fleet says: the filters of GPUs as the API has them, and which state they are in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from analytics.filters import GpuFilter, PhysicalGpuFilter, parameter_fields
from analytics.pages.links import OF_THE_LIST, Chip
from analytics.pages.window import Window, WindowParameters, window_of
from analytics.params import MAX_OFFSET
from analytics.queries.fleet import Fleet, idle_since, is_idle
from analytics.views.labelled import has_labels
from registry.models import ComputeResource, PhysicalGPU

# What a card that no span has named can be asked for, by the names that the filters of GPUs and of cards have for it.
_OF_BARE_CARDS: Final = {
    "node_id": "node_id",
    "model": "model",
    "vendor": "vendor",
    "physical_uuid": "uuid",
    "conflicts": "conflicts",
    "q": "q",
}
IN_FORM: Final = ("node_id", "model", "vendor", "resource_type", "label", "q", "idle", "retired", "conflicts")
_WITHOUT_FORM: Final = {"physical_uuid": "Card", "seen_since": "Seen since"}
_STATES: Final = frozenset({"idle", "retired"})


class FleetParameters(WindowParameters):
    """A time range, the filters of `GET /gpus`, and where in the list somebody is.

    Retired GPUs are left out where nobody asks for them; `retired=any` shows them among the others.
    """

    has_attributes = True
    attribute_prefix = "labels."

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            **super().get_fields(),
            **parameter_fields(GpuFilter),
            "retired": serializers.ChoiceField(["true", "false", "any"], required=False),
            "idle": serializers.ChoiceField(["true", "false"], required=False),
            "offset": serializers.IntegerField(min_value=0, max_value=MAX_OFFSET, default=0),
        }


@dataclass(frozen=True)
class Asked:
    """What the URL asks for: the range, and by which filters, as text by name."""

    tenant: str
    window: Window
    offset: int
    texts: Mapping[str, str]
    labels: tuple[tuple[str, str], ...]

    @cached_property
    def in_service(self) -> Fleet:
        """Return what is in service and satisfies the filters, idle or not."""
        texts = {name: text for name, text in self.texts.items() if name not in _STATES}
        return Fleet(self.tenant, self._resources({**texts, "retired": "false"}), self._bare_cards(texts))

    @cached_property
    def listed(self) -> Fleet:
        """Return what satisfies all filters."""
        texts = {name: text for name, text in self.texts.items() if name != "idle"}
        retired = texts.pop("retired", "false")
        resources = self._resources(texts if retired == "any" else {**texts, "retired": retired})
        fleet = Fleet(self.tenant, resources, self._bare_cards(texts))
        idle = self.texts.get("idle")
        if idle is not None:
            condition = is_idle(idle_since()) if idle == "true" else ~is_idle(idle_since())
            fleet = replace(fleet, resources=fleet.resources.filter(condition))
        if idle == "false" or retired == "true":  # a card of which no span ever told is neither
            fleet = replace(fleet, bare_cards=fleet.bare_cards.none())
        return fleet

    def _resources(self, texts: Mapping[str, str]) -> QuerySet[ComputeResource]:
        own = {name: text for name, text in texts.items() if name != "conflicts"}
        wanted = GpuFilter(own, ComputeResource.objects.of_tenant(self.tenant).described())
        if not wanted.is_valid():
            raise ValidationError(wanted.errors)
        resources = wanted.qs.filter(has_labels(self.labels))
        if "conflicts" in texts:  # its card's too, which has no row of its own where it is not sliced
            in_conflict = ~Q(conflicts=[]) | (Q(physical__isnull=False) & ~Q(physical__conflicts=[]))
            resources = resources.filter(in_conflict if texts["conflicts"] == "true" else ~in_conflict)
        return resources

    def _bare_cards(self, texts: Mapping[str, str]) -> QuerySet[PhysicalGPU]:
        bare = PhysicalGPU.objects.filter(tenant__slug=self.tenant, compute_resources=None).described()
        if not texts.keys() <= _OF_BARE_CARDS.keys():
            return bare.none()
        named = {_OF_BARE_CARDS[name]: text for name, text in texts.items()}
        return PhysicalGpuFilter(named, bare).qs.filter(has_labels(self.labels))


def asked_of(query: QueryDict, tenant: str) -> Asked:
    """Return what a query asks for. Raises ValidationError."""
    parameters = FleetParameters.read_query(query)
    texts = {name: str(query[name]) for name in (*GpuFilter.base_filters, "idle") if name in query}
    return Asked(tenant, window_of(parameters), parameters["offset"], texts, parameters["attributes"])


def chips_of(query: QueryDict) -> list[Chip]:
    """Return the filters that came by a link and stand in no form."""
    chips = []
    for name, value in query.items():
        label = _WITHOUT_FORM.get(name) or (name if name.startswith("labels.") else None)
        if label is not None:
            rest = query.copy()
            for each in (name, *OF_THE_LIST):
                rest.pop(each, None)
            chips.append(Chip(name, label, str(value), f"?{rest.urlencode()}", is_link=True))
    return chips
