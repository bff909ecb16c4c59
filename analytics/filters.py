"""The filters of GPUs, as a django-filter FilterSet over the registry."""

from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from rest_framework import serializers

from analytics.params import TextField, TimeField
from analytics.times import parse_time
from registry.models import ComputeResource, ResourceContext
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


class GpuFilter(django_filters.FilterSet):
    """Filters of `ComputeResource.objects.described()`; all of them together."""

    node_id = TextFilter(help_text="The node that the GPU is in.")
    model = TextFilter(help_text="The card's model, whole, such as `NVIDIA H100 80GB HBM3`.")
    vendor = TextFilter(field_name="vendor_or_guess")
    resource_type = TextFilter(field_name="type_or_guess", help_text="`full_gpu`, `mig_40gb`, `mig_1g.10gb` …")
    physical_uuid = TextFilter(help_text="The card: itself and all slices of it.")
    label = TextFilter(method="held_as", help_text="What a process that holds the GPU calls it, such as `cuda:0`.")
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


def _holders() -> QuerySet[ResourceContext]:
    return ResourceContext.objects.open().filter(resource=OuterRef("pk"))


def _contains(fields: tuple[str, ...], text: str) -> Q:
    return Q(*((f"{field}__icontains", text) for field in fields), _connector=Q.OR)


def parameter_fields(filters: type[django_filters.FilterSet]) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    """Return the query parameters that a FilterSet takes, for a QueryParameters class to validate and document."""
    return {name: _parameter_field(each) for name, each in filters.base_filters.items()}


def _parameter_field(each: django_filters.Filter) -> serializers.Field[Any, Any, Any, Any]:
    help_text = each.extra.get("help_text")
    return (
        TimeField(required=False, help_text=help_text)
        if isinstance(each, TimeFilter)
        else TextField(help_text=help_text)
    )
