"""The filters of GPUs and of the registry's objects, as django-filter FilterSets."""

from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from rest_framework import serializers

from analytics.params import TextField, TimeField
from analytics.times import parse_time
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext
from registry.times import to_datetime


class TimeFormField(forms.CharField):
    """RFC 3339 text in, the aware datetime out, cut to PostgreSQL's microseconds."""

    def clean(self, value: Any) -> datetime | None:
        text: str = super().clean(value)
        if not text:
            return None
        try:
            return to_datetime(parse_time(text))
        except ValueError as error:
            raise forms.ValidationError(str(error), code="invalid") from error


class TimeFilter(django_filters.Filter):
    field_class = TimeFormField


class TextFilter(django_filters.CharFilter):
    """A text that is compared as it stands, blanks at its ends included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, strip=False, **kwargs)


class ConflictsFilter(django_filters.FilterSet):
    """What can be asked of objects with facts that both a sighting and an operator can say."""

    conflicts = django_filters.BooleanFilter(
        method="in_conflict", help_text="`true`: something else was seen than an operator set. `false`: the others."
    )

    def in_conflict(self, rows: QuerySet[Any], _name: str, wanted: bool) -> QuerySet[Any]:  # noqa: FBT001  the library's
        return rows.exclude(conflicts=[]) if wanted else rows.filter(conflicts=[])


class GpuFilter(ConflictsFilter):
    """Filters of `ComputeResource.objects.described()`; all of them together."""

    node_id = TextFilter(help_text="The node that the GPU is in.")
    model = TextFilter(help_text="The card's model, whole, such as `NVIDIA H100 80GB HBM3`.")
    vendor = TextFilter(field_name="vendor_or_guess", help_text="The maker, whole, such as `NVIDIA`.")
    resource_type = TextFilter(field_name="type_or_guess", help_text="`full_gpu`, `mig_40gb`, `mig_1g.10gb` …")
    physical_uuid = TextFilter(help_text="The card: itself and all slices of it.")
    label = TextFilter(method="held_as", help_text="What a process that holds the GPU calls it, such as `cuda:0`.")
    retired = django_filters.BooleanFilter(
        field_name="retired_at",
        lookup_expr="isnull",
        exclude=True,
        help_text="`true`: that is not there any more, as slices of an old layout. `false`: the others.",
    )
    seen_since = TimeFilter(field_name="last_seen", lookup_expr="gte", help_text="Ran a span at or after this time.")
    q = TextFilter(
        method="search",
        help_text="A part, in any case, of a UUID, model, vendor, node, type, or of a holder's label, host or pod.",
    )

    def held_as(self, resources: QuerySet[ComputeResource], _name: str, label: str) -> QuerySet[ComputeResource]:
        return resources.filter(Exists(_holders().filter(user_label=label)))

    def search(self, resources: QuerySet[ComputeResource], _name: str, text: str) -> QuerySet[ComputeResource]:
        own = ("uuid", "physical_uuid", "model", "vendor_or_guess", "node_id", "type_or_guess")
        return resources.filter(
            _contains(own, text) | Exists(_holders().filter(_contains(("user_label", "hostname", "pod"), text)))
        )


class NodeFilter(django_filters.FilterSet):
    """Filters of nodes; all of them together."""

    node_id = TextFilter(field_name="name", help_text="The node's own, whole.")
    cloud_provider = TextFilter(help_text="Whole, such as `aws`.")
    region = TextFilter(help_text="Whole, such as `us-east-1`.")
    zone = TextFilter(help_text="Whole, such as `us-east-1a`.")
    machine_type = TextFilter(help_text="Whole, such as `p5.48xlarge`.")
    driver_version = TextFilter(help_text="Whole, such as `570.86.15`.")
    cuda_version = TextFilter(help_text="Whole, such as `12.8`.")
    seen_since = TimeFilter(field_name="last_seen", lookup_expr="gte", help_text="Ran a span at or after this time.")
    q = TextFilter(
        method="search", help_text="A part, in any case, of its name, cloud provider, region, zone or machine type."
    )

    def search(self, nodes: QuerySet[Node], _name: str, text: str) -> QuerySet[Node]:
        return nodes.filter(_contains(("name", "cloud_provider", "region", "zone", "machine_type"), text))


class PhysicalGpuFilter(ConflictsFilter):
    """Filters of cards; all of them together."""

    uuid = TextFilter(help_text="The card's own.")
    node_id = TextFilter(field_name="node_name", help_text="The node that the card sits in.")
    model = TextFilter(help_text="Whole, such as `NVIDIA H100 80GB HBM3`.")
    vendor = TextFilter(help_text="The maker, whole, such as `NVIDIA`.")
    seen_since = TimeFilter(field_name="last_seen", lookup_expr="gte", help_text="Ran a span at or after this time.")
    q = TextFilter(
        method="search", help_text="A part, in any case, of its UUID, model, vendor, node, or a slice's UUID."
    )

    def search(self, cards: QuerySet[PhysicalGPU], _name: str, text: str) -> QuerySet[PhysicalGPU]:
        slices = ComputeResource.objects.filter(physical=OuterRef("pk"), uuid__icontains=text)
        return cards.filter(_contains(("uuid", "model", "vendor", "node_name"), text) | Exists(slices))


class ComputeResourceFilter(GpuFilter):
    """Filters of `ComputeResource.objects.described()` as records: what is compared is what they show."""

    uuid = TextFilter(help_text="The resource's own.")
    resource_type = TextFilter(help_text="As the registry has it: `full_gpu`, `mig_40gb`, `mig_1g.10gb` …")


class ResourceContextFilter(django_filters.FilterSet):
    """Filters of contexts; all of them together."""

    resource_uuid = TextFilter(field_name="resource__uuid", help_text="What was held.")
    physical_uuid = TextFilter(
        field_name="resource__physical__uuid", help_text="The card: itself and all slices of it."
    )
    label = TextFilter(field_name="user_label", help_text="What the holder calls it, such as `cuda:0`.")
    user_label = TextFilter(help_text="The same as `label`.")
    hostname = TextFilter(help_text="The holder's.")
    pod = TextFilter(help_text="The holder's.")
    process_id = django_filters.NumberFilter(help_text="The holder's, as the operating system numbers it.")
    open = django_filters.BooleanFilter(
        field_name="detached_at", lookup_expr="isnull", help_text="`true`: that nobody has ended. `false`: the others."
    )
    at = TimeFilter(method="held_at", help_text="Held the resource at this moment: attached by then, and not detached.")
    seen_since = TimeFilter(field_name="last_seen", lookup_expr="gte", help_text="Ran a span at or after this time.")
    q = TextFilter(method="search", help_text="A part, in any case, of its label, host, pod, or the resource's UUID.")

    def held_at(self, contexts: Any, _name: str, moment: datetime) -> QuerySet[ResourceContext]:
        held: QuerySet[ResourceContext] = contexts.held_at(moment)
        return held

    def search(self, contexts: QuerySet[ResourceContext], _name: str, text: str) -> QuerySet[ResourceContext]:
        return contexts.filter(_contains(("user_label", "hostname", "pod", "resource__uuid"), text))


def _holders() -> QuerySet[ResourceContext]:
    return ResourceContext.objects.open().filter(resource=OuterRef("pk"))


def _contains(fields: tuple[str, ...], text: str) -> Q:
    return Q(*((f"{field}__icontains", text) for field in fields), _connector=Q.OR)


def parameter_fields(filters: type[django_filters.FilterSet]) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    """Return the query parameters that a FilterSet takes, for a QueryParameters class to validate and document."""
    return {name: _parameter_field(each) for name, each in filters.base_filters.items()}


def _parameter_field(each: django_filters.Filter) -> serializers.Field[Any, Any, Any, Any]:
    options: dict[str, Any] = {"required": False, "help_text": each.extra.get("help_text")}
    match each:
        case TimeFilter():
            return TimeField(**options)
        case django_filters.BooleanFilter():
            return serializers.ChoiceField(["true", "false"], **options)
        case django_filters.NumberFilter():
            return serializers.IntegerField(min_value=-(2**63), max_value=2**63 - 1, **options)
    return TextField(help_text=options["help_text"])
