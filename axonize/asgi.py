"""The ASGI entry point of the web process."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler

from axonize.metrics import reporter
from axonize.start import StartRefused, end_refused


def _application() -> ASGIHandler:
    django = get_asgi_application()
    from registry.start import require_safe  # noqa: PLC0415 - models can be imported now, and not before

    try:
        require_safe(bind=settings.BIND)
    except StartRefused as error:
        end_refused(error)
    reporter.start("web")
    return django


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

application = _application()
