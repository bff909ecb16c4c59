"""How the web process is served. Gunicorn finds this file by itself: `gunicorn axonize.wsgi`, in this directory."""

import logging.config
import os
import ssl
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

from django.conf import settings

from axonize import tls
from axonize.database import close_connections
from axonize.start import StartRefused, end_refused
from axonize.web_worker import WAITING_THREADS


def _tls() -> tls.Tls | None:
    try:
        return tls.configured()
    except StartRefused as error:
        end_refused(error)


_files = _tls()

bind = f"{f'[{settings.BIND}]' if ':' in settings.BIND else settings.BIND}:{settings.WEB_PORT}"
workers = 1
worker_class = "axonize.web_worker.Worker"
threads = WAITING_THREADS
worker_connections = 800  # with the engines' connections still below the 1,024 files that most systems allow a process
keepalive = 30  # seconds; a kept connection waits in the poller, not in a thread
graceful_timeout = 30  # seconds, more than any question takes (AXONIZE_QUERY_MAX_SECONDS); Compose gives ten more
# Loaded once, before a port is opened: what refuses to start ends gunicorn itself and not each of its workers
preload_app = True
logging.config.dictConfig(settings.LOGGING)
logger_class = "axonize.gunicorn_log.Logger"
loglevel = "warning"
control_socket_disable = True
limit_request_line = 8190  # bytes; filters make long lines, and this is the largest that gunicorn bounds
limit_request_fields = 64
limit_request_field_size = 8190
# Whose word counts on https is Django's affair: AXONIZE_TRUST_PROXY
secure_scheme_headers: dict[str, str] = {}
if _files is not None:
    certfile, keyfile = str(_files.certificate), str(_files.key)


def ssl_context(_config: Any, default: Any) -> ssl.SSLContext:
    """Ask no browser for a certificate. Made for each connection, so a renewed certificate needs no restart."""
    return tls.server_context(_files, ask_clients=False) if _files else default()


def on_starting(server: Any) -> None:
    """Refuse an unsafe address, be it of AXONIZE_BIND or of gunicorn's own --bind."""
    from registry.start import require_safe  # noqa: PLC0415 - models can be imported once the application is loaded

    for address in server.cfg.address:
        try:
            require_safe(bind=address[0] if isinstance(address, tuple) else str(address))
        except StartRefused as error:
            end_refused(error)


def post_fork(_server: Any, _worker: Any) -> None:
    """Have each worker tell its metrics."""
    from axonize.metrics import reporter  # noqa: PLC0415 - as above

    reporter.start("web")


def pre_fork(_server: Any, _worker: Any) -> None:
    """Hand no database connection from the one process to the other."""
    close_connections()
