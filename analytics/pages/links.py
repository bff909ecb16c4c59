"""What a page's links and forms carry on of its URL."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict

WINDOW: Final = ("range", "start", "end", "tenant")
"""What says when and whose data; a link to any other page carries it."""
OF_THE_LIST: Final = ("cursor", "offset")
"""Where in a list somebody is, which another filter or range makes meaningless."""
# Filters that come by a link and stand in no form, as people know them
_LABELS: Final = {"node_id": "Node", "resource_uuid": "GPU", "physical_uuid": "Card"}


@dataclass(frozen=True)
class Chip:
    """A filter that is shown with a link that takes it away."""

    name: str
    label: str
    value: str
    without: str


def links_of(query: QueryDict) -> dict[str, Any]:
    """Return what templates build links and forms of.

    `carried` is the query of links to other pages; `kept_window` and `kept_filters` are the hidden fields of a form of
    filters and of the form of the range; `chips` the filters that no form shows.
    """
    pairs = [(name, value) for name, values in query.lists() for value in values if name not in OF_THE_LIST]
    window = [(name, value) for name, value in pairs if name in WINDOW]
    chips = [Chip(name, _LABELS[name], value, _without(query, name)) for name, value in pairs if name in _LABELS]
    return {
        "carried": _query(window),
        "kept_window": window,
        "kept_filters": [(name, value) for name, value in pairs if name not in {"range", "start", "end"}],
        "chips": chips,
        "is_filtered": len(pairs) > len(window),
    }


def _without(query: QueryDict, name: str) -> str:
    rest = query.copy()
    for each in (name, *OF_THE_LIST):
        rest.pop(each, None)
    return f"?{rest.urlencode()}"


def _query(pairs: list[tuple[str, str]]) -> str:
    query = QueryDict(mutable=True)
    for name, value in pairs:
        query.appendlist(name, value)
    return f"?{query.urlencode()}" if pairs else ""
