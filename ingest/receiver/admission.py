"""How many requests a receiver holds at once: a bound on its memory that slow clients can't use up.

Nobody knows how large a request is until it has come. So a number of requests are read at a time, and the others wait,
unread, in the network. One that comes slowly steps aside for those that wait; all but a few are sent away once memory
runs short. What was read counts with its size until it is in the queue.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from ingest.receiver.memory import collect_garbage, resident_bytes
from ingest.refusals import ReceiverBusy

READERS = 6
# A reader that took longer steps aside when others wait; of those aside the eldest is sent away for the next.
STEP_ASIDE_SECONDS = 0.1
MOST_ASIDE = 10
READ_SECONDS = 30.0
MOST_WAITING = 2_000
WAIT_SECONDS = 5.0  # half of what OTLP's clients wait for an answer
READ_BUDGET_BYTES = 16 * 1024 * 1024
# A receiver larger than this reads few requests, the eldest; while it reads more it looks that often at its size.
HIGH_RESIDENT_BYTES = 200 * 1024 * 1024
FEW_READERS = 2
LOOK_SECONDS = 0.01

BUSY = "This receiver is busy. Send the same request again."
TOO_SLOW = "The request came too slowly. Send it again."


class _Reader:
    """One request that is being read."""

    def __init__(self, began_s: float) -> None:
        self.limit = asyncio.timeout_at(began_s + READ_SECONDS)
        self.steps_aside_at_s = began_s + STEP_ASIDE_SECONDS
        self.is_reading = False
        self.is_aside = False
        self.is_sent_away = False

    def send_away(self) -> None:
        if self.is_reading:
            self.is_sent_away = True
            self.limit.reschedule(asyncio.get_running_loop().time())


class Admission:
    """The places of a receiver: for those that read, and in bytes for what they have read."""

    def __init__(self, require_open: Callable[[], None]) -> None:
        """Begin with all places free.

        Args:
            require_open: asked before a request is read; raises TryLater while none shall be.

        """
        self._require_open = require_open
        self._readers: dict[_Reader, None] = {}  # the eldest first
        self._aside = 0
        self._waiting: deque[asyncio.Future[_Reader]] = deque()
        self._is_short = False
        self._watch: asyncio.Task[None] | None = None
        self._free_bytes = READ_BUDGET_BYTES
        self._freed = asyncio.Event()

    def place(self) -> "Place":
        return Place(self)

    async def read(self, read: Callable[[], Awaitable[bytes]], place: "Place") -> bytes:
        """Return what `read` reads, and count it on `place`. Raises TryLater."""
        reader = await self._enter()
        try:
            self._require_open()
            body = await self._read_in_time(reader, read)
            await self._take(len(body), place)
            return body
        finally:
            self._leave(reader)

    def give_back(self, size_bytes: int) -> None:
        self._free_bytes += size_bytes
        self._freed.set()

    async def _enter(self) -> _Reader:
        """Take a reader's place, those who came before first. Raises ReceiverBusy."""
        if self._has_room():
            return self._begin()
        if len(self._waiting) >= MOST_WAITING:
            raise ReceiverBusy(BUSY)
        place: asyncio.Future[_Reader] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await place
        except BaseException as error:
            if place.done() and not place.cancelled():  # given in the same moment
                self._leave(place.result())
            place.cancel()
            if isinstance(error, TimeoutError):
                raise ReceiverBusy(BUSY) from error
            raise

    def _begin(self) -> _Reader:
        reader = _Reader(asyncio.get_running_loop().time())
        self._readers[reader] = None
        if len(self._readers) > FEW_READERS and (self._watch is None or self._watch.done()):
            self._watch = asyncio.create_task(self._watch_memory())
        return reader

    def _leave(self, reader: _Reader) -> None:
        del self._readers[reader]
        self._admit()

    def _has_room(self) -> bool:
        return len(self._readers) < FEW_READERS if self._is_short else len(self._readers) - self._aside < READERS

    def _admit(self) -> None:
        """Give the free places to those that wait."""
        while self._waiting and self._has_room():
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(self._begin())

    def _have_the_slow_step_aside(self) -> None:
        now_s = asyncio.get_running_loop().time()
        staying = [reader for reader in self._readers if not reader.is_sent_away]
        for reader in staying:
            if reader.is_reading and not reader.is_aside and reader.steps_aside_at_s <= now_s:
                reader.is_aside = True
                self._aside += 1
        aside = [reader for reader in staying if reader.is_aside]
        for reader in aside[: max(0, len(aside) - MOST_ASIDE)]:
            reader.send_away()

    async def _read_in_time(self, reader: _Reader, read: Callable[[], Awaitable[bytes]]) -> bytes:
        try:
            async with reader.limit:
                reader.is_reading = True
                return await read()
        except TimeoutError as error:
            raise ReceiverBusy(BUSY if self._is_short else TOO_SLOW) from error
        finally:
            reader.is_reading = False
            if reader.is_aside:  # what it has read takes as much memory as anybody's
                reader.is_aside = False
                self._aside -= 1

    async def _watch_memory(self) -> None:
        """Look after the memory and after those that wait, for as long as more than a few read."""
        while len(self._readers) > FEW_READERS or self._is_short:
            self._is_short = resident_bytes() > HIGH_RESIDENT_BYTES
            if self._is_short:
                collect_garbage()
                for reader in list(self._readers)[FEW_READERS:]:
                    reader.send_away()
            elif self._waiting:
                self._have_the_slow_step_aside()
            self._admit()
            await asyncio.sleep(LOOK_SECONDS)

    async def _take(self, size_bytes: int, place: "Place") -> None:
        """Count what was read. A body over the budget counts as all of it. Raises ReceiverBusy."""
        size_bytes = min(size_bytes, READ_BUDGET_BYTES)
        try:
            if size_bytes > self._free_bytes:
                async with asyncio.timeout(WAIT_SECONDS):
                    while size_bytes > self._free_bytes:
                        self._freed.clear()
                        await self._freed.wait()
        except TimeoutError as error:
            raise ReceiverBusy(BUSY) from error
        self._free_bytes -= size_bytes
        place.size_bytes = size_bytes


class Place:
    """Where one request is, from its first byte to its answer: `with admission.place() as place`.

    It holds the size of the body and not the body, which goes as soon as nobody needs it any more.
    """

    def __init__(self, admission: Admission) -> None:
        self.size_bytes = 0
        self._admission = admission

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._admission.give_back(self.size_bytes)

    async def read(self, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return a request's body once there is room for it.

        Args:
            read: reads the body; it is cancelled when it takes too long.

        Raises:
            TryLater: there was no room in time, the body came too slowly, or nothing is taken just now.

        """
        return await self._admission.read(read, self)
