"""The check before any port is opened: who listens beyond this machine needs a secret key and an API key."""

import logging

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from axonize.exposure import is_loopback
from axonize.start import StartRefused, require_secret_key
from registry import keys

logger = logging.getLogger(__name__)

__all__ = ["StartRefused", "require_safe"]


def require_safe(*, bind: str) -> None:
    """Make sure that it is safe to listen on an address; on a loopback one it always is.

    While PostgreSQL does not answer nobody can tell whether there is an API key. The start goes on then, with a
    warning: each request from another machine needs a key anyway.

    Args:
        bind: the address to listen on, e.g. `0.0.0.0`.

    Raises:
        StartRefused: SECRET_KEY is not set to a good one, or no API key can be used.

    """
    if is_loopback(bind):
        return
    require_secret_key(bind=bind)
    if not _any_key(bind):
        raise StartRefused(
            f"Listening on {bind or 'every address'}, which other machines can reach, needs an API key: start on "
            "127.0.0.1, run `manage.py create_api_key NAME --tenant default --scope ingest --scope read`, then start "
            "again."
        )


def _any_key(bind: str) -> bool:
    was_open = connection.connection is not None
    try:
        return keys.any_usable()
    except (OperationalError, InterfaceError) as error:
        logger.warning(
            "listening on %s without having seen an API key, for PostgreSQL does not answer: %s", bind, error
        )
        return True
    except DatabaseError:  # no such table: PostgreSQL is not migrated, so it holds no key
        return False
    finally:
        if not was_open:
            connection.close()  # back to the pool: no request ends here that would do it
