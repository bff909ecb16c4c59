"""ETags of the registry's objects, so that of two editors neither overwrites what the other wrote (RFC 9110, 13.1.1).

An ETag is the digest of all that an object shows but for when it was seen first and last: those move with every span,
and who edits a busy GPU must not be refused for that. It needs no column, and no edit can pass it by.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from rest_framework.request import Request

from analytics.attributes import json_text
from axonize.api import PreconditionFailed

_MOVING: Final = frozenset({"first_seen", "last_seen"})
_DIGEST_LENGTH: Final = 32


def etag_of(data: Mapping[str, Any]) -> str:
    """Return the ETag, with its quotes, of an object as the API shows it."""
    told = {name: value for name, value in data.items() if name not in _MOVING}
    return f'"{hashlib.sha256(json_text(told).encode()).hexdigest()[:_DIGEST_LENGTH]}"'


def require_match(request: Request, current: Callable[[], str]) -> None:
    """Hold the request's If-Match, if it has one, against the ETag of what stands. Raises PreconditionFailed."""
    wanted = request.headers.get("If-Match")
    if wanted is None or wanted.strip() == "*":
        return
    if current() not in {tag.strip() for tag in wanted.split(",")}:
        raise PreconditionFailed
