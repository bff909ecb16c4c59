"""Counts and times each request, around all else that a transport does with it."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from axonize.metrics.receiving import GRPC, HTTP, answered
from ingest.receiver.body import Receive

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Method = Callable[[object, Any], Awaitable[ExportTraceServiceResponse]]

LEFT = "499"  # no status of HTTP's; what proxies write for a client that left before its answer


def counted_http(app: Application) -> Application:
    """Wrap an ASGI application."""

    async def counted(scope: Message, receive: Receive, send: Send) -> None:
        began_s = time.perf_counter()
        code = LEFT

        def told(message: Message) -> Awaitable[None]:
            nonlocal code
            if "status" in message:
                code = str(message["status"])
            return send(message)

        try:
            await app(scope, receive, told)
        except Exception:
            code = "500"
            raise
        finally:
            if scope["path"] != "/healthz":
                answered(HTTP, code, time.perf_counter() - began_s)

    return counted


def counted_grpc(method: Method) -> Method:
    """Wrap a method of gRPC's."""

    async def counted(requests: object, context: Any) -> ExportTraceServiceResponse:
        began_s = time.perf_counter()
        code = "CANCELLED"
        try:
            answer = await method(requests, context)
        except BaseException as error:
            # Once it has its status a client may go, before the method that gave it ends.
            status = context.code()
            if isinstance(status, grpc.StatusCode):
                code = status.name
            elif isinstance(error, Exception):
                code = "UNKNOWN"
            raise
        else:
            code = "OK"
            return answer
        finally:
            answered(GRPC, code, time.perf_counter() - began_s)

    return counted
