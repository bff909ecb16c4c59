"""How often a key may ask the REST API: a count in Redis for each key and minute of the clock."""

import logging
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from axonize.error_text import told
from registry.keys import Identity

logger = logging.getLogger(__name__)

MINUTE_SECONDS: Final = 60
# Once Redis gave no answer, no request waits for its next one until this has passed.
AWAY_SECONDS: Final = 5.0


class RequestCounter:
    """Counts requests; while Redis is away it counts none, and says so once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._away_until_s = 0.0
        self._is_away = False

    def count(self, key_id: str, minute: int) -> int:
        """Count one more request; return how many it makes of the key in that minute, 0 while Redis is away."""
        if self._clock() < self._away_until_s:
            return 0
        name = f"registry.requests.{key_id}.{minute}"
        try:
            cache.add(name, 0, timeout=2 * MINUTE_SECONDS)
            counted = cache.incr(name)
        except (RedisError, ValueError) as error:  # ValueError: Redis came back empty between the two
            self._away_until_s = self._clock() + AWAY_SECONDS
            if not self._is_away:
                logger.warning("requests are not limited while Redis does not answer: %s", told(error))
            self._is_away = True
            return 0
        self._is_away = False
        return counted


_counter = RequestCounter()


class KeyThrottle(BaseThrottle):
    """Holds each key to its `requests_per_minute`, or to the setting's. Who needs no key has no limit."""

    timer = staticmethod(time.time)

    def allow_request(self, request: Request, view: object) -> bool:  # noqa: ARG002  DRF's signature
        identity = request.auth
        if not isinstance(identity, Identity) or not identity.key_id:
            return True
        limit = identity.requests_per_minute
        if limit is None:
            limit = settings.REQUESTS_PER_MINUTE
        return limit == 0 or _counter.count(identity.key_id, int(self.timer() // MINUTE_SECONDS)) <= limit

    def wait(self) -> float:
        """Return the seconds until the next minute of the clock begins."""
        return MINUTE_SECONDS - self.timer() % MINUTE_SECONDS
