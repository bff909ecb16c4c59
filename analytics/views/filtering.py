"""The time ranges and span-level filters that endpoints share, as parameters and as what queries take."""

import time
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rest_framework.exceptions import ValidationError

from analytics.buckets import DAY_SECONDS
from analytics.params import QueryParameters, TextField, TimeField
from analytics.queries.filters import SpanFilter, TimedFilter
from analytics.queries.population import Population
from analytics.times import NS_PER_SECOND


class FilterParameters(QueryParameters):
    """A time range, and what one span of a trace must satisfy, all of it together."""

    start = TimeField(required=False, help_text="RFC 3339, any offset; included.")
    end = TimeField(required=False, help_text="RFC 3339, any offset; excluded.")
    service_name = TextField(help_text="The service that sent the span.")
    environment = TextField(help_text="Where that service runs, such as `production`.")
    model_name = TextField(help_text="The model, whole, such as `llama-3-70b`.")
    resource_uuid = TextField(help_text="A card's or MIG slice's UUID.")
    physical_uuid = TextField(help_text="The card, also where only the registry knows that the slice is on it.")
    node_id = TextField(help_text="The node, also where only the registry knows that the GPU is in it.")


class AnalyticsParameters(FilterParameters):
    """What all of `/analytics` takes; without `end` until now, without `start` the 24 hours before `end`."""

    start = TimeField(required=False, help_text="RFC 3339, any offset; included. Default: 24 hours before `end`.")
    end = TimeField(required=False, help_text="RFC 3339, any offset; excluded. Default: now.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end_ns = attrs.get("end", time.time_ns())
        start_ns = attrs.get("start", end_ns - DAY_SECONDS * NS_PER_SECOND)
        if "end" not in attrs and start_ns > end_ns:
            raise ValidationError({"start": "Give a start that is not in the future, or an end too."}, code="invalid")
        return super().validate({**attrs, "start": start_ns, "end": end_ns})


def span_filter(parameters: Mapping[str, Any]) -> SpanFilter:
    """Return the filter that the validated parameters of a FilterParameters class ask for."""
    names = {field.name for field in fields(SpanFilter)}
    return SpanFilter(**{name: value for name, value in parameters.items() if name in names})


def timed_filter(parameters: Mapping[str, Any]) -> TimedFilter:
    """Return the filter that the validated parameters of a list of traces or of spans ask for."""
    return TimedFilter(
        start_ns=parameters.get("start"),
        end_ns=parameters.get("end"),
        status=parameters.get("status"),
        min_duration_ns=parameters.get("min_duration_ms"),
        max_duration_ns=parameters.get("max_duration_ms"),
        span=span_filter(parameters),
    )


def population_of(tenant: str, parameters: Mapping[str, Any]) -> Population:
    """Return what the validated parameters of an AnalyticsParameters class ask about."""
    return Population(
        tenant=tenant,
        start_ns=parameters["start"],
        end_ns=parameters["end"],
        span=span_filter(parameters),
        group_by=parameters.get("group_by"),
    )
