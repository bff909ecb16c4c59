"""gRPC's own health protocol (grpc.health.v1, doc/health-checking.md of gRPC): Check and Watch, for anybody.

It asks for no key, so what one call may take is small and how many there are at once is bounded.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from ingest.receiver.readiness import STOPPING, Readiness

SERVICE: Final = "grpc.health.v1.Health"
READERS: Final = 8
"""Requests that are read at once; who sends more than the few bytes that one takes can't fill the memory."""
READ_SECONDS: Final = 0.5
WAIT_SECONDS: Final = 2.0
WATCHERS: Final = 256
WATCHERS_OF_A_HOST: Final = 32

Context = grpc.aio.ServicerContext[bytes, HealthCheckResponse]


class Health:
    """Answers for the services of a receiver, which are ready or not together."""

    def __init__(self, readiness: Readiness, services: frozenset[str]) -> None:
        self._readiness = readiness
        self._services = services | {""}
        self._reading = asyncio.Semaphore(READERS)
        self._watchers: Counter[str] = Counter()

    def handler(self) -> "grpc.GenericRpcHandler[bytes, HealthCheckResponse]":
        """Return the handler of the service.

        Each method is one that streams requests, which on the wire is the same as one that takes one: so it is called
        before the request is read, and not as many as like are read at once.
        """
        encode = HealthCheckResponse.SerializeToString
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Check": grpc.stream_unary_rpc_method_handler(self.check, None, encode),
                "Watch": grpc.stream_stream_rpc_method_handler(self.watch, None, encode),
            },
        )

    async def check(self, _requests: object, context: Context) -> HealthCheckResponse:
        """Answer how a service is; NOT_FOUND for one that is not here."""
        if await self._read(context) not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, "This receiver has no such service.")
        return self._response()

    async def watch(self, _requests: object, context: Context) -> None:
        """Answer how a service is now and whenever that changes, until the receiver stops.

        One that is not here never will be: the protocol wants the stream to go on all the same, and to say so.
        """
        service = await self._read(context)
        host = context.peer().rpartition(":")[0]
        if self._watchers.total() >= WATCHERS or self._watchers[host] >= WATCHERS_OF_A_HOST:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many watch already. Use Check.")
        with self._counted(host):
            told = None
            while True:
                response = self._response() if service in self._services else UNKNOWN
                if response != told:
                    await context.write(response)
                    told = response  # and look again, for it may be another by now
                elif self._readiness.unready == STOPPING:
                    return
                else:
                    await self._readiness.changed()

    def _response(self) -> HealthCheckResponse:
        return NOT_SERVING if self._readiness.unready else SERVING

    @contextmanager
    def _counted(self, host: str) -> Iterator[None]:
        self._watchers[host] += 1
        try:
            yield
        finally:
            self._watchers[host] -= 1
            self._watchers += Counter()  # which forgets those that count nothing

    async def _read(self, context: Context) -> str:
        """Return the service that a call asks about; a call that does it wrong is aborted."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._reading.acquire()
        except TimeoutError:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many ask at once. Ask again.")
        try:
            async with asyncio.timeout(READ_SECONDS):
                message = await context.read()
            request: HealthCheckRequest = HealthCheckRequest.FromString(message if isinstance(message, bytes) else b"")
            service: str = request.service
        except (TimeoutError, DecodeError):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "No HealthCheckRequest came.")
        finally:
            self._reading.release()
        return service


SERVING: Final = HealthCheckResponse(status=HealthCheckResponse.SERVING)
NOT_SERVING: Final = HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)
UNKNOWN: Final = HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
