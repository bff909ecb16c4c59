"""Django system checks of settings that are right each by itself, and wrong together or with what is around them.

Each tells one problem in one sentence, by an id. `manage.py check` runs them, `check --deploy` also the one of a proxy.
The migrations begin with all of them too, and so `manage.py up` does; the receiver begins with those of the tag.
"""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning as Caution, register

from axonize import tls
from axonize.environment import DOCUMENTED, given
from axonize.settings import env
from axonize.start import StartRefused
from axonize.stores import STORES, password_of

TAG: Final = "settings"
PREFIX: Final = "AXONIZE_"
# Of clients, which may run in the same shell: the examples of docs/api.md set it.
NOT_OURS: Final = frozenset({"AXONIZE_KEY"})


@register  # without the tag: who needs the files refuses to start without them anyway, in a sentence of its own
def tls_files(**_: Any) -> list[CheckMessage]:
    """E001: a certificate without its key, or a file that can't be read or is something else."""
    try:
        tls.configured()
    except StartRefused as error:
        return [Error(str(error), id="axonize.E001")]
    return []


@register(TAG)
def unknown_variables(**_: Any) -> list[CheckMessage]:
    """W001: a variable with our prefix that sets nothing, most likely a misspelt one."""
    known = env.variables
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known | NOT_OURS)
    return [Caution(_not_a_setting(name, known), id="axonize.W001") for name in unknown]


def _not_a_setting(name: str, known: set[str]) -> str:
    # Compared without the prefix, which makes any two of them alike
    endings = {other.removeprefix(PREFIX): other for other in known}
    [*close] = get_close_matches(name.removeprefix(PREFIX), endings, n=1)
    advice = f"did you mean {endings[close[0]]}?" if close else f"{DOCUMENTED} lists those that are."
    return f"{name} in the environment is no setting; {advice}"


@register(TAG)
def sizes(**_: Any) -> list[CheckMessage]:
    """W002 and W003: a limit that can't be reached, for another one is reached before it."""
    messages: list[CheckMessage] = []
    if settings.BATCH_MAX_BYTES > settings.QUEUE_MAX_BYTES:
        messages.append(
            Caution(
                "AXONIZE_BATCH_MAX_BYTES is more than AXONIZE_QUEUE_MAX_BYTES, so the queue can be full before one "
                "batch is: make the queue larger, several batches large, or the batch smaller.",
                id="axonize.W002",
            )
        )
    if settings.OTLP_MAX_REQUEST_BYTES > settings.QUEUE_MAX_BYTES:
        messages.append(
            Caution(
                "AXONIZE_OTLP_MAX_REQUEST_BYTES is more than AXONIZE_QUEUE_MAX_BYTES, so a client is told to come "
                "again with a request that may never fit: make the queue larger, or the request smaller.",
                id="axonize.W003",
            )
        )
    return messages


@register(TAG)
def unused_passwords(**_: Any) -> list[CheckMessage]:
    """W004: a store's password that does not count, for its URL has another one or names no server."""
    return [Caution(sentence, id="axonize.W004") for sentence in _unused_passwords()]


def _unused_passwords() -> Iterator[str]:
    for store in STORES:
        password = env.secret(store.password, "")
        if not password or password_of(getattr(settings, store.url)) == password:
            continue
        why = (
            "has a password in it: leave one of the two out."
            if given(store.url)
            else f"is not set and the embedded {store.engine} asks for none: set {store.url}, or unset the password."
        )
        yield f"{store.password} is not used, for {store.url} {why}"


@register(TAG, deploy=True)
def https_behind_a_proxy(**_: Any) -> list[CheckMessage]:
    """W005: whoever comes through a proxy is redirected to https for ever, for nothing says that he came by it."""
    if settings.HTTPS and not settings.TLS_CERT_FILE and not settings.TRUST_PROXY:
        return [
            Caution(
                "AXONIZE_HTTPS is set without a certificate and without AXONIZE_TRUST_PROXY, so every page is "
                "redirected to itself: set AXONIZE_TRUST_PROXY=true if a proxy that sets X-Forwarded-Proto ends TLS, "
                "or else AXONIZE_TLS_CERT_FILE.",
                id="axonize.W005",
            )
        ]
    return []


@register
def static_files(**_: Any) -> list[CheckMessage]:
    """W006: the web process would look for collected files where there are none, and fail at each page."""
    root = settings.STATIC_ROOT
    if root and not (Path(root) / "staticfiles.json").exists():
        return [
            Caution(
                f"AXONIZE_STATIC_ROOT is {root}, and no static files are there: run `manage.py collectstatic`.",
                id="axonize.W006",
            )
        ]
    return []
