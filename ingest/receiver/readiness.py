"""Whether a receiver can take spans: asked of Redis each second, told to whoever asks the receiver."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

import redis
from django.conf import settings

from axonize.health.heartbeat import INTERVAL_SECONDS, Heartbeat, State
from ingest.queue import QueueProbe

logger = logging.getLogger(__name__)

STARTING: Final = "It has only just started."
STOPPING: Final = "It is stopping."
UNREACHABLE: Final = "Redis does not answer."
FULL: Final = "The queue is full."


class Readiness:
    """Why this receiver takes no spans; '' while it takes them."""

    def __init__(self) -> None:
        self.unready = STARTING
        self.heartbeat = Heartbeat(settings.HEALTH_DIR, "receiver")
        self._changed: asyncio.Future[None] | None = None

    async def watch(self, stop: asyncio.Event) -> None:
        """Ask the queue again and again, and leave the heartbeat, until told to stop.

        The heartbeat is the event loop's own: one that is blocked leaves none.
        """
        probe = QueueProbe()
        try:
            while not stop.is_set():
                unready = await ask(probe)
                if not stop.is_set():
                    self._set(unready)
                    self.heartbeat.write(State(unready=unready))
                with suppress(TimeoutError):
                    async with asyncio.timeout(INTERVAL_SECONDS):
                        await stop.wait()
            self.heartbeat.write(State(unready=STOPPING))
        finally:
            await probe.close()

    def stopping(self) -> None:
        """Say, for good, that no more is taken."""
        self._set(STOPPING)

    async def changed(self) -> None:
        """Wait until `unready` is another."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    def _set(self, unready: str) -> None:
        if unready == self.unready:
            return
        if unready == STOPPING:
            pass  # the receiver tells of that itself
        elif unready:
            logger.warning("Not ready: %s", unready)
        elif self.unready != STARTING:
            logger.info("Ready again.")
        self.unready = unready
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None


async def ask(probe: QueueProbe) -> str:
    """Return why the queue takes nothing; '' where it does."""
    try:
        return "" if await probe.has_room() else FULL
    except (redis.ConnectionError, redis.TimeoutError):
        return UNREACHABLE
    except redis.RedisError as error:
        return f"Redis takes no writes: {str(error).rstrip('.')}."
