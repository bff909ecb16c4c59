"""What a page's links and forms carry on of its URL."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict

from analytics.params import ATTRIBUTE_PREFIX

WINDOW: Final = ("range", "start", "end", "tenant")
"""What says when and whose data; a link to any other page carries it."""
OF_THE_LIST: Final = ("cursor", "offset")
"""Where in a list somebody is, which another filter or range makes meaningless."""
# The filters as people know them: those that a form has fields for, and those that come by a link
_FIELDS: Final = {
    "service_name": "Service",
    "model_name": "Model",
    "environment": "Environment",
    "name": "Span",
    "status": "Status",
    "min_duration_ms": "Shortest, ms",
    "max_duration_ms": "Longest, ms",
}
_LABELS: Final = {"node_id": "Node", "resource_uuid": "GPU", "physical_uuid": "Card"}


@dataclass(frozen=True)
class Chip:
    """A filter that is shown with a link that takes it away; what no form has a field for `is_link`."""

    name: str
    label: str
    value: str
    without: str
    is_link: bool


def links_of(query: QueryDict) -> dict[str, Any]:
    """Return what templates build links and forms of.

    `carried` is the query of links to other pages; `kept_window` and `kept_filters` are the hidden fields of a form of
    filters and of the form of the range; `filters` are all filters, `chips` those of them that no form shows.
    """
    pairs = [(name, value) for name, values in query.lists() for value in values if name not in OF_THE_LIST]
    window = [(name, value) for name, value in pairs if name in WINDOW]
    filters = [chip for name, value in pairs for chip in _chips(query, name, value)]
    return {
        "carried": _query(window),
        "kept_window": window,
        "kept_filters": [(name, value) for name, value in pairs if name not in {"range", "start", "end"}],
        "filters": filters,
        "chips": [chip for chip in filters if chip.is_link],
        "is_filtered": len(pairs) > len(window),
    }


def _chips(query: QueryDict, name: str, value: str) -> list[Chip]:
    """Return the chip of a filter, none of what is no filter."""
    if name.startswith(ATTRIBUTE_PREFIX):
        label = name.removeprefix(ATTRIBUTE_PREFIX)
    else:
        label = _LABELS.get(name) or _FIELDS.get(name, "")
    return [Chip(name, label, value, _without(query, name, value), name not in _FIELDS)] if label else []


def _without(query: QueryDict, name: str, value: str) -> str:
    """Return the query without one of the values of a parameter, and from the list's begin."""
    rest = query.copy()
    for each in OF_THE_LIST:
        rest.pop(each, None)
    rest.setlist(name, [other for other in rest.getlist(name) if other != value])
    return f"?{rest.urlencode()}"


def _query(pairs: list[tuple[str, str]]) -> str:
    query = QueryDict(mutable=True)
    for name, value in pairs:
        query.appendlist(name, value)
    return f"?{query.urlencode()}" if pairs else ""
