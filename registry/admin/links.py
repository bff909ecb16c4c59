"""Links from one page of the admin to another, and how a UUID and a moment are shown."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince


def filtered_list(model: str, text: object, **filters: Any) -> SafeString:
    """Return a link to the list of a model, cut down by `filters`; its text is usually how many it will show."""
    url = reverse(f"admin:registry_{model}_changelist", query=filters)
    return format_html('<a href="{}">{}</a>', url, text)


def page_of(model: str, pk: int, text: object) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:registry_{model}_change", args=[pk]), text)


def uuid_text(uuid: str) -> SafeString:
    """Return a UUID on one line; where there is no room its end is hidden, and the pointer shows it."""
    return format_html('<span class="ax-uuid" title="{}">{}</span>', uuid, uuid)


def ago(moment: datetime | None) -> SafeString | None:
    """Return how long ago it was, with the moment itself under the pointer; None stays None."""
    if moment is None:
        return None
    largest = timesince(moment, depth=1)
    text = "just now" if largest.startswith("0") else f"{largest} ago"
    exact = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time class="ax-nowrap" datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, text)


def labels_text(labels: dict[str, str]) -> SafeString | None:
    """Return labels on one line, `team=search rack=b7`; None where there are none."""
    if not labels:
        return None
    pairs = sorted(f"{name}={value}" for name, value in labels.items())
    return format_html_join(" ", '<span class="ax-tag">{}</span>', ((pair,) for pair in pairs))
