"""What a page shows instead of its parts where no span ever came."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from analytics.queries.choices import Choices


def first_span(request: HttpRequest, choices: Choices) -> dict[str, Any]:
    """Return what pages/first_span.html shows, and `is_new`, whether it is to be shown."""
    host = request.get_host().rpartition(":")[0] or request.get_host()
    return {"is_new": not choices.name, "otlp_url": f"http://{host}:{settings.OTLP_HTTP_PORT}/v1/traces"}
