"""The WSGI entry point of the web process: safe to start, and not more requests at work than its machine can take."""

import io
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse

from axonize.start import StartRefused, end_refused

WORKING_REQUESTS: Final = 8
"""How many requests are worked on at once; more may wait, for their turn or for a slow client."""
PROBES: Final = frozenset({"/healthz", "/readyz"})

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]


def few_at_once(application: Application) -> Application:
    """Wrap Django's application so that nothing waits for a client while it is at work.

    A request has its body with it before its turn comes, and an answer is complete and has given its database
    connection back before a client, who may read slowly, gets it. Probes need no turn: a busy server is alive.
    """
    turn = threading.BoundedSemaphore(WORKING_REQUESTS)

    def serve(environ: Environ, start_response: Any) -> Iterable[bytes]:
        _read_body(environ)
        if environ["PATH_INFO"] in PROBES:
            return application(environ, start_response)
        with turn:
            response = application(environ, start_response)
            if not isinstance(response, HttpResponse):
                return response  # a file, read while it is sent
            body = response.content
            response.close()
        return [body]

    return serve


def _read_body(environ: Environ) -> None:
    """Read a body that is not too large; one that is, is refused unread."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(length)))


def _application() -> Application:
    django = get_wsgi_application()
    from registry.start import require_safe  # noqa: PLC0415 - models can be imported now, and not before

    try:
        require_safe(bind=settings.BIND)
    except StartRefused as error:
        end_refused(error)
    return few_at_once(django)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

application = _application()
