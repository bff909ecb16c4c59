"""Links from one page of the admin to another."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def filtered_list(model: str, count: int, **filters: Any) -> SafeString:
    """Return a link to the list of a model, cut down by `filters`, whose text is how many it will show."""
    url = reverse(f"admin:registry_{model}_changelist", query=filters)
    return format_html('<a href="{}">{}</a>', url, count)


def page_of(model: str, pk: int, text: object) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:registry_{model}_change", args=[pk]), text)
