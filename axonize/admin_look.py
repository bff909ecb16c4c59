"""How the admin looks and what its sidebar leads to: the settings of django-unfold."""

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

Item = dict[str, Any]


def _icon(_request: HttpRequest) -> str:
    return static("axonize/icon.svg")


def _style(_request: HttpRequest) -> str:
    return static("axonize/admin.css")


def _may_view(label: str, model: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(f"{label}.view_{model}")


def _list_of(label: str, model: str, title: str, icon: str, tells: str) -> Item:
    """Return a line of the sidebar; `tells` is what the first page says of it besides."""
    return {
        "title": title,
        "icon": icon,
        "tells": tells,
        "link": reverse_lazy(f"admin:{label}_{model}_changelist"),
        "permission": _may_view(label, model),
    }


def context(_request: HttpRequest) -> dict[str, Any]:
    """Return what each page of the admin is told besides: that it needs no style element, the colours are in a file."""
    return {"colors": None}


UNFOLD: Final[dict[str, Any]] = {
    "SITE_TITLE": "Axonize",
    "SITE_HEADER": "Axonize",
    "SITE_SUBHEADER": "GPU registry",
    "SITE_URL": reverse_lazy("pages:overview"),
    "SITE_ICON": _icon,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
    "STYLES": [_style],
    "GLOBAL_CALLBACK": f"{__name__}.context",
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "SIDEBAR": {
        "navigation": [
            {
                "title": "Hardware",
                "items": [
                    _list_of("registry", "node", "Nodes", "dns", "Machines: cloud, zone, driver"),
                    _list_of("registry", "physicalgpu", "Physical GPUs", "memory", "Cards: model, node, price"),
                    _list_of(
                        "registry", "computeresource", "Compute resources", "splitscreen", "MIG slices and whole cards"
                    ),
                    _list_of("registry", "resourcecontext", "Contexts", "badge", "Who held which slice, and when"),
                ],
            },
            {
                "title": "Access",
                "separator": True,
                "items": [
                    _list_of("registry", "tenant", "Tenants", "domain", "Whose hardware and data it is"),
                    _list_of("registry", "apikey", "API keys", "key", "What programs show to send and to read"),
                    _list_of("auth", "user", "Users", "person", "Who may log in here"),
                    _list_of("auth", "group", "Groups", "group", "What several users may do"),
                ],
            },
            {
                "title": "Operation",
                "separator": True,
                "items": [
                    _list_of("ingest", "deadletter", "Dead letters", "unsubscribe", "Spans that can't be stored"),
                    {"title": "API", "icon": "api", "tells": "Every endpoint, to try", "link": reverse_lazy("docs")},
                ],
            },
        ],
    },
}
