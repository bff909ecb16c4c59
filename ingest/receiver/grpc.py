"""OTLP/gRPC: opentelemetry.proto.collector.trace.v1.TraceService/Export, and gRPC's health protocol beside it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import NoReturn
from urllib.parse import unquote

import grpc
from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from axonize.metrics.receiving import GRPC, body_bytes, refused_requests
from axonize.request_id import METADATA
from ingest.intake import MalformedRequest
from ingest.receiver.access import NotPermitted, authorize
from ingest.receiver.admission import Admission
from ingest.receiver.grpc_health import Health
from ingest.receiver.offering import Offering
from ingest.receiver.request_line import RequestLine
from ingest.receiver.retry import unavailable
from ingest.refusals import TryLater
from registry.keys import KeyRefused

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
ROUTE = f"/{SERVICE}/Export"
STATUS_DETAILS = "grpc-status-details-bin"  # where gRPC carries a google.rpc.Status
UNREAD_BYTES = 64 * 1024  # what gRPC may take of a request before it is read
READ_CHUNK_BYTES = 256 * 1024
FORWARDED = frozenset({"forwarded", "x-forwarded-for"})

# gRPC writes a stack trace for each header that is not UTF-8, and any client can send as many as it likes.
logging.getLogger("grpc._cython.cygrpc").addFilter(lambda record: "Invalid encoding" not in str(record.msg))

Context = grpc.aio.ServicerContext[bytes, ExportTraceServiceResponse]

OPTIONS = (
    ("grpc.max_receive_message_length", settings.OTLP_MAX_REQUEST_BYTES),
    ("grpc.so_reuseport", 1),  # for the servers of this process; see ingest.receiver.run
    # What nobody reads yet stays with the client: gRPC would else guess how much to take in advance.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", UNREAD_BYTES),
    # Each connection has a buffer, which would else grow to 4 MiB.
    ("grpc.experimental.tcp_max_read_chunk_size", READ_CHUNK_BYTES),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.max_metadata_size", 16 * 1024),
    # A peer that has vanished is found out by pings; one that is there may ping every ten seconds, also between calls.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


def server(offering: Offering, admission: Admission, health: Health) -> grpc.aio.Server:
    """Return a server of the trace service and of its health, without a port.

    Export is unary to clients. Here it is one that streams requests, which on the wire is the same (gRPC over HTTP/2,
    "Requests"): so it is called before the request is read, and decides whether it is. The request stays bytes, for the
    queue takes it as it came.
    """
    grpc_server = grpc.aio.server(options=OPTIONS)
    handler = grpc.stream_unary_rpc_method_handler(
        export(offering, admission),
        request_deserializer=None,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    trace_service = grpc.method_handlers_generic_handler(SERVICE, {"Export": handler})
    grpc_server.add_generic_rpc_handlers((trace_service, health.handler()))
    return grpc_server


def export(
    offering: Offering, admission: Admission
) -> Callable[[object, Context], Awaitable[ExportTraceServiceResponse]]:
    """Return the Export method; its errors are those of the OTLP specification, "OTLP/gRPC Response"."""

    async def method(_requests: object, context: Context) -> ExportTraceServiceResponse:
        metadata = dict(context.invocation_metadata() or ())  # its keys are lower case
        line = RequestLine(GRPC, "Export", ROUTE, "UNKNOWN", metadata.get(METADATA))
        context.set_trailing_metadata(((METADATA, line.request_id),))
        try:
            identity = await authorize(
                metadata.get("authorization"),
                peer=host_of(context.peer()),
                forwarded=not FORWARDED.isdisjoint(metadata),
            )
            line.tenant = identity.tenant
            with admission.place() as place:
                body = place.read(lambda: read(context))
                response = await offering.export(await body, identity=identity, line=line)
        except MalformedRequest as error:
            await refuse(context, line, grpc.StatusCode.INVALID_ARGUMENT, error)
        except KeyRefused as error:
            await refuse(context, line, grpc.StatusCode.UNAUTHENTICATED, error)
        except NotPermitted as error:
            await refuse(context, line, grpc.StatusCode.PERMISSION_DENIED, error)
        except TryLater as error:
            refused_requests[error.reason].inc()
            details = (STATUS_DETAILS, unavailable(error).SerializeToString())
            context.set_trailing_metadata(((METADATA, line.request_id), details))
            await refuse(context, line, grpc.StatusCode.UNAVAILABLE, error)
        except asyncio.CancelledError:
            line.status = "CANCELLED"
            raise
        else:
            line.status = "OK"
            return response
        finally:
            line.end()

    return method


async def refuse(context: Context, line: RequestLine, code: grpc.StatusCode, error: Exception) -> NoReturn:
    """End a call with an error's sentence."""
    line.refused(code.name, error)
    await context.abort(code, str(error))


async def read(context: Context) -> bytes:
    """Return the one message of a request. Raises MalformedRequest where there is none."""
    message = await context.read()
    if not isinstance(message, bytes):
        raise MalformedRequest("The call ended without a request.")
    body_bytes[GRPC].inc(len(message))
    return message


@lru_cache(maxsize=4096)
def host_of(peer: str) -> str:
    """Return the address in gRPC's name of a peer: `ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000`.

    >>> host_of("ipv6:%5B::1%5D:5000")
    '::1'
    """
    _, _, address = unquote(peer).partition(":")
    return address.rpartition(":")[0].strip("[]")
