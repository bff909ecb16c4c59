"""When a server must not start: it would answer other machines, and what protects it there is not set."""

import sys
from typing import Final, NoReturn

from django.core.checks.security.base import check_secret_key

from axonize.exposure import is_loopback

# By it gunicorn knows that its application can't be loaded, and does not try for ever.
EXIT_STATUS: Final = 4


class StartRefused(Exception):
    """The server refuses to start; the message is one sentence that says how to go on."""


def end_refused(error: StartRefused) -> NoReturn:
    """End the process with the sentence alone."""
    print(error, file=sys.stderr)  # noqa: T201 - it is for who started the process, whatever its log does
    sys.exit(EXIT_STATUS)


def require_secret_key(*, bind: str) -> None:
    """Make sure that a secret key is set where other machines can connect.

    Django's own rule says what a key is worth: 50 characters, 5 of them different, and not the insecure default.

    Args:
        bind: the address to listen on.

    Raises:
        StartRefused: it is not.

    """
    if not is_loopback(bind) and check_secret_key(None):
        raise StartRefused(
            f"Listening on {bind or 'every address'}, which other machines can reach, needs a SECRET_KEY of at least "
            "50 random characters: set it (`openssl rand -base64 48` makes one), or listen on 127.0.0.1."
        )
