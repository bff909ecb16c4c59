"""Who sends: from the Authorization of a request, looked at before a byte of its body is read, to a tenant."""

import asyncio
from functools import lru_cache

from django.conf import settings

from axonize.exposure import needs_key
from ingest.refusals import KeysUnchecked
from registry.keys import Identity, KeyRefused, KeysUnavailable, from_header, identify, local_identity, recall
from registry.models.api_key import Scope

NO_KEY = "An API key is needed. Send it as `Authorization: Bearer ax_…`."
NOT_FOR_INGEST = "This API key lacks the scope `ingest`. Ask who runs this server for one that has it."

_lookups: dict[str, asyncio.Task[Identity]] = {}


class NotPermitted(Exception):
    """The key is good, but not for sending."""


async def authorize(authorization: str | None, *, peer: str, forwarded: bool = False) -> Identity:
    """Return for whom a request is sent.

    Args:
        authorization: the header or metadata of that name; None where there is none.
        peer: the address that the connection comes from.
        forwarded: a proxy handed the request on.

    Raises:
        KeyRefused: there is no key where one is needed, or it is not good.
        KeysUnchecked: it can't be checked for now.
        NotPermitted: its scopes don't include `ingest`.

    """
    if authorization is None:
        if _needs_key(peer, required=settings.REQUIRE_API_KEY, forwarded=forwarded):
            raise KeyRefused(NO_KEY)
        return local_identity()
    key = from_header(authorization)
    try:
        identity = recall(key) or await _look_up(key)
    except KeysUnavailable as error:
        raise KeysUnchecked(str(error)) from error
    if not identity.may(Scope.INGEST):
        raise NotPermitted(NOT_FOR_INGEST)
    return identity


async def _look_up(key: str) -> Identity:
    """Ask PostgreSQL in a thread, once for all requests that wait for the same key."""
    lookup = _lookups.get(key)
    if lookup is None:
        lookup = _lookups[key] = asyncio.create_task(asyncio.to_thread(identify, key))
        lookup.add_done_callback(lambda _: _lookups.pop(key, None))
    return await asyncio.shield(lookup)


_needs_key = lru_cache(maxsize=4096)(needs_key)
