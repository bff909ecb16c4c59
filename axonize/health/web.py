"""Asks the web process of this machine how it is, over the port that it listens on."""

import json
import ssl
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final

from django.conf import settings

from axonize.embedded.ports import host_to_reach
from axonize.health.heartbeat import Verdict

TIMEOUT_SECONDS: Final = 5.0
"""Longer than /readyz takes to find that an engine hangs."""


def ask_web(*, live: bool) -> Verdict:
    """Return what /healthz or /readyz says."""
    where = f"{host_to_reach(settings.BIND)}:{settings.WEB_PORT}"
    connection = _connection(where)
    try:
        connection.request("GET", "/healthz" if live else "/readyz", headers={"Host": allowed_host()})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException) as error:
        return Verdict(well=False, why=f"The web process does not answer on {where} ({error or type(error).__name__}).")
    finally:
        connection.close()
    if answer.status == HTTPStatus.OK:
        return Verdict(well=True, why=f"The web process {'lives' if live else 'is ready'}.")
    return Verdict(well=False, why=f"The web process answers {answer.status}{_faults(body)}.")


def allowed_host() -> str:
    """Return a name under which Django lets itself be asked."""
    first = settings.ALLOWED_HOSTS[0] if settings.ALLOWED_HOSTS else "*"
    return "localhost" if first == "*" else first.removeprefix(".")


def _connection(where: str) -> HTTPConnection:
    if not settings.TLS_CERT_FILE:
        return HTTPConnection(where, timeout=TIMEOUT_SECONDS)
    # The certificate is for the name that browsers know, and this is its own machine.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(where, timeout=TIMEOUT_SECONDS, context=context)


def _faults(body: bytes) -> str:
    """Return what /readyz names as not ok: `: clickhouse unavailable, migrations pending`."""
    try:
        checks = json.loads(body)["checks"]
        faults = [f"{name} {verdict}" for name, verdict in checks.items() if verdict != "ok"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f": {', '.join(faults)}" if faults else ""
