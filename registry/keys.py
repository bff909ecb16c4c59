"""From the API key that a request carries to who is asking: in PostgreSQL, and remembered for seconds."""

import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import Error as DatabaseError, connection
from django.db.models import Q
from django.db.models.functions import Now

from axonize.error_text import told
from registry.identity import Identity, local_identity, staff_identity
from registry.models.api_key import KEY_MARK, PREFIX_LENGTH, SECRET_LENGTH, ApiKey, Scope

logger = logging.getLogger(__name__)

__all__ = [
    "Identity",
    "KeyRefused",
    "Keys",
    "KeysUnavailable",
    "Scope",
    "any_usable",
    "from_header",
    "identify",
    "local_identity",
    "recall",
    "staff_identity",
]

# A revocation is seen everywhere within twice this time: once for what is remembered, once for an answer under way.
FRESH_SECONDS: Final = 5.0
# How long a key stays good that PostgreSQL, which is away, can't confirm.
UNCONFIRMED_SECONDS: Final = 600.0
# Once PostgreSQL gave no answer, nobody waits for the next until this has passed.
AWAY_SECONDS: Final = 1.0
MAX_REMEMBERED: Final = 10_000
LAST_USED_EVERY: Final = timedelta(minutes=1)

_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_KEY: Final = re.compile(
    rf"{KEY_MARK}[A-Za-z0-9]{{{PREFIX_LENGTH - len(KEY_MARK)}}}\.[A-Za-z0-9]{{{SECRET_LENGTH}}}", re.ASCII
)


class KeyRefused(Exception):
    """A key that opens nothing. The message is for who sent it, and the same for a wrong, an old and a revoked key."""

    def __init__(
        self, message: str = "This API key is unknown, expired or revoked. Ask who runs this server for a new one."
    ) -> None:
        super().__init__(message)


class KeysUnavailable(Exception):
    """PostgreSQL does not answer, and this process doesn't know the key from before. The same key may be good later."""

    def __init__(self) -> None:
        super().__init__("API keys can't be checked for now. Try again in a few seconds.")


@dataclass(frozen=True)
class _Known:
    """A key that was good when PostgreSQL was last asked, at `confirmed_s`; it is asked again at `stale_s`."""

    identity: Identity
    expires_at: datetime | None
    confirmed_s: float
    stale_s: float


class Keys:
    """The keys that this process knows. Thread-safe; it keeps digests, never keys, and a bounded number of them.

    A key that is good, and one that is not, is looked up in PostgreSQL once each FRESH_SECONDS; a refresh holds up
    only the one who makes it. While PostgreSQL does not answer, a key that was good stays good for UNCONFIRMED_SECONDS
    at most: nobody can revoke it in a database that is away. Its own expiry counts to the second all the same.

    Args:
        clock: monotonic seconds.
        now: the time of day, with its zone.

    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._good: dict[bytes, _Known] = {}
        self._refused: dict[bytes, float] = {}
        self._away_until_s = 0.0

    def recall(self, key: str) -> Identity | None:
        """Return what is known of a key without asking PostgreSQL; None where it must be asked. Never blocks for long.

        Raises KeyRefused.
        """
        if not _KEY.fullmatch(key):
            raise KeyRefused
        digest = _digest(key)
        with self._lock:
            known = self._good.get(digest)
            if known is not None and known.stale_s > self._clock():
                return self._unexpired(known)
            if self._refused.get(digest, 0.0) > self._clock():
                raise KeyRefused
        return None

    def identify(self, key: str) -> Identity:
        """Return whose key it is.

        May wait for PostgreSQL, so call it from a thread. Raises KeyRefused, KeysUnavailable.
        """
        identity = self.recall(key)
        if identity is not None:
            return identity
        digest = _digest(key)
        asked_s = self._clock()
        with self._lock:
            known = self._good.get(digest)
            if known is not None and asked_s - known.confirmed_s >= UNCONFIRMED_SECONDS:
                known = None
            if known is not None:
                # While this thread asks, the others go on with what was true.
                stale_s = min(asked_s + FRESH_SECONDS, known.confirmed_s + UNCONFIRMED_SECONDS)
                self._good[digest] = replace(known, stale_s=stale_s)
            if asked_s < self._away_until_s:
                return self._unconfirmed(known)
        try:
            found = _look_up(key)
        except DatabaseError:
            with self._lock:
                self._away_until_s = self._clock() + AWAY_SECONDS
            return self._unconfirmed(known)
        with self._lock:
            self._good.pop(digest, None)
            if found is None:
                _remember(self._refused, digest, asked_s + FRESH_SECONDS)
                raise KeyRefused
            # From when it was asked, not answered: a slow answer must not make a revoked key live longer.
            known = _Known(_identity_of(found), found.expiry_date, asked_s, asked_s + FRESH_SECONDS)
            _remember(self._good, digest, known)
        return self._unexpired(known)

    def _unconfirmed(self, known: _Known | None) -> Identity:
        if known is None:
            raise KeysUnavailable
        return self._unexpired(known)

    def _unexpired(self, known: _Known) -> Identity:
        if known.expires_at is not None and known.expires_at <= self._now():
            raise KeyRefused
        return known.identity


_keys = Keys()
recall = _keys.recall
identify = _keys.identify


def from_header(value: str) -> str:
    """Return the key of an Authorization header, `Bearer ax_…` (RFC 6750, section 2.1). Raises KeyRefused."""
    match = _BEARER.fullmatch(value.strip())
    if match is None:
        raise KeyRefused("Send the API key as `Authorization: Bearer ax_…`.")
    return match[1]


def any_usable() -> bool:
    """Tell whether there is a key, of any tenant, that is neither revoked nor expired. Raises OperationalError."""
    found: bool = ApiKey.objects.usable().exists()
    return found


def _look_up(key: str) -> ApiKey | None:
    """Ask PostgreSQL, and note there that the key is in use. Raises django.db.Error.

    A connection that was not open before goes back to the pool: threads of the receiver have no request that ends.
    """
    was_open = connection.connection is not None
    try:
        found: ApiKey = ApiKey.objects.get_from_key(key)
        _note_use(found)
    except ApiKey.DoesNotExist:
        return None
    else:
        return found
    finally:
        if not was_open:
            connection.close()


def _note_use(key: ApiKey) -> None:
    """Write when the key was last used, once a minute whatever the number of processes."""
    is_due = Q(last_used_at=None) | Q(last_used_at__lt=Now() - LAST_USED_EVERY)
    try:
        ApiKey.objects.filter(is_due, pk=key.pk).update(last_used_at=Now())
    except DatabaseError as error:  # a database that can only be read for now still tells good keys from bad ones
        logger.warning("The last use of API key %s is not written down: %s", key.prefix, told(error))


def _identity_of(key: ApiKey) -> Identity:
    return Identity(
        tenant=key.tenant.slug,
        scopes=frozenset(key.scopes),
        key_id=key.prefix,
        key_name=key.name,
        ingest_spans_per_second=key.ingest_spans_per_second,
        requests_per_minute=key.requests_per_minute,
        retention_days=key.tenant.retention_days,
    )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _remember(memory: dict[bytes, Any], digest: bytes, value: object) -> None:
    """Put it last; the first, which is the one remembered longest ago, makes room where there is none."""
    memory.pop(digest, None)
    if len(memory) >= MAX_REMEMBERED:
        del memory[next(iter(memory))]
    memory[digest] = value
