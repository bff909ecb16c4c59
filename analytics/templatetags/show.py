"""How templates of the pages show numbers, times and shares."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from analytics.pages import formats
from analytics.times import format_time

register = template.Library()
register.filter("duration", formats.duration)
register.filter("count", formats.count)
register.filter("share", formats.share)
register.filter("money", formats.money)
register.filter("rate", formats.rate)
register.filter("reading", formats.reading)
register.filter("in_unit", formats.in_unit)
register.filter("rfc3339", format_time)

_WIDTH: Final = 100


@register.filter
def moment(value: int | datetime | None, how: str = "%Y-%m-%d %H:%M:%S") -> str | SafeString:
    """Show nanoseconds since 1970, or a datetime, in the viewer's zone; the whole of it stands in the title."""
    if value is None:
        return formats.NOTHING
    local = timezone.localtime(formats.aware(value))
    exact = format_time(value) if isinstance(value, int) else local.isoformat()
    return format_html('<time datetime="{}" title="{}">{}</time>', exact, exact, local.strftime(how))


@register.filter
def ago(value: int | datetime | None) -> str | SafeString:
    """Show how long ago a time was, its most significant unit; the time itself stands in the title."""
    if value is None:
        return "never"
    local = timezone.localtime(formats.aware(value))
    passed = timezone.now() - local
    text = "just now" if passed.total_seconds() < 60 else f"{timesince(local, depth=1)} ago"  # noqa: PLR2004  seconds
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}", text
    )


@register.filter
def field_time(value: int) -> str:
    """Return nanoseconds since 1970 as <input type="datetime-local"> takes it, in the viewer's zone."""
    return f"{timezone.localtime(formats.aware(value)):%Y-%m-%dT%H:%M:%S}"


@register.simple_tag(takes_context=True)
def otlp_url(context: Mapping[str, Any]) -> str:
    """Return where SDKs send spans by HTTP, on the host that the page was asked of."""
    host = urlsplit(f"//{context['request'].get_host()}").hostname or ""
    scheme = "https" if settings.TLS_CERT_FILE else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.OTLP_HTTP_PORT}/v1/traces"


@register.simple_tag
def needs_key() -> bool:
    """Tell whether who sends spans from this machine needs an API key."""
    return bool(settings.REQUIRE_API_KEY)


@register.simple_tag
def bar(part: float | None, tone: str = "1") -> str | SafeString:
    """Draw a bar of a share of 0 to 1; who can't see it has the number beside it."""
    if part is None:
        return ""
    width = round(min(max(part, 0.0), 1.0) * _WIDTH, 2)
    return format_html(
        '<svg class="bar tone-{}" aria-hidden="true"><rect width="{}%" height="100%" rx="2"/></svg>', tone, width
    )


@register.simple_tag
def bar_of(part: float | None, whole: float, tone: str = "1") -> str | SafeString:
    """Draw a bar of a part of a whole, nothing where the whole is nothing."""
    return bar(None if part is None or not whole else part / whole, tone)
