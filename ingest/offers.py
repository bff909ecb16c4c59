"""Offers to the queue, many in one call: what comes while a call is under way waits together for the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

MOST_TOGETHER: Final = 64
MOST_BYTES_TOGETHER: Final = 1024 * 1024
# After a call, for those that come meanwhile to share the next one; who comes after it does not wait.
REST_SECONDS: Final = 0.005


@dataclass(frozen=True)
class Offer:
    """A request that is to be appended to the open batch.

    `frame` is as ingest.intake encloses it, `digest` tells it from others; it holds `spans`, `values` (attributes,
    events and links) and, before compression, `raw_bytes`. Should it be the first of a batch, that is named `batch_id`.
    It counts against the rate of `key_id`, `spans_per_second`; 0 is no limit. The batch keeps `request_id` if that is
    one of its first.
    """

    frame: bytes
    digest: bytes
    spans: int
    raw_bytes: int
    values: int
    batch_id: str
    key_id: str = ""
    spans_per_second: int = 0
    request_id: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of an offer: ingest.queue_steps names the codes. `batch_id` is '' where it was not appended."""

    code: int
    batch_id: str
    is_sealed: bool
    wait_ms: int


class Offers:
    """Those that wait. One call is under way at a time, so the many small requests of a moment share what one costs."""

    def __init__(self, send: Callable[[Sequence[Offer]], Awaitable[Sequence[Outcome]]]) -> None:
        self._send = send
        self._waiting: deque[tuple[Offer, asyncio.Future[Outcome]]] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def make(self, offer: Offer) -> Outcome:
        """Return what became of an offer. Raises what `send` raises."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((offer, outcome))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return await outcome

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                together = self._next()
                try:
                    outcomes = await self._send([offer for offer, _ in together])
                except Exception as error:  # noqa: BLE001 - each of those that wait raises it
                    # Who came meanwhile would only wait as long for the same.
                    for _, waiting in (*together, *self._waiting):
                        if not waiting.done():
                            waiting.set_exception(error)
                    self._waiting.clear()
                    return
                for (_, waiting), outcome in zip(together, outcomes, strict=True):
                    if not waiting.done():  # its client has left
                        waiting.set_result(outcome)
                await asyncio.sleep(REST_SECONDS)
        finally:
            self._sending = None

    def _next(self) -> list[tuple[Offer, asyncio.Future[Outcome]]]:
        """Take the eldest off those that wait, at least one and not too much at once."""
        together = [self._waiting.popleft()]
        size_bytes = len(together[0][0].frame)
        while self._waiting and len(together) < MOST_TOGETHER:
            size_bytes += len(self._waiting[0][0].frame)
            if size_bytes > MOST_BYTES_TOGETHER:
                break
            together.append(self._waiting.popleft())
        return together
