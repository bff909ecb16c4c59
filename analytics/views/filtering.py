"""The span-level filters that endpoints share, as parameters and as what queries take."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from analytics.params import QueryParameters, TextField, TimeField
from analytics.queries.filters import SpanFilter


class FilterParameters(QueryParameters):
    """A time range, and what one span of a trace must satisfy, all of it together."""

    start = TimeField(required=False, help_text="RFC 3339, any offset; included.")
    end = TimeField(required=False, help_text="RFC 3339, any offset; excluded.")
    service_name = TextField()
    environment = TextField()
    model_name = TextField()
    resource_uuid = TextField(help_text="A card's or MIG slice's UUID.")
    physical_uuid = TextField(help_text="The card, also where only the registry knows that the slice is on it.")
    node_id = TextField(help_text="The node, also where only the registry knows that the GPU is in it.")


def span_filter(parameters: Mapping[str, Any]) -> SpanFilter:
    """Return the filter that the validated parameters of a FilterParameters class ask for."""
    names = {field.name for field in fields(SpanFilter)}
    return SpanFilter(**{name: value for name, value in parameters.items() if name in names})
