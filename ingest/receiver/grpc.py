"""OTLP/gRPC: opentelemetry.proto.collector.trace.v1.TraceService/Export."""

from collections.abc import Awaitable, Callable

import grpc
from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.intake import MalformedRequest
from ingest.queue import QueueUnavailable
from ingest.receiver.offering import Offering
from ingest.receiver.retry import unavailable

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
STATUS_DETAILS = "grpc-status-details-bin"  # where gRPC carries a google.rpc.Status

Context = grpc.aio.ServicerContext[bytes, ExportTraceServiceResponse]


def server(offering: Offering) -> grpc.aio.Server:
    """Return a server of the trace service, without a port.

    The request stays bytes, for the queue takes it as it came. A port is this process's alone, so that a second
    receiver is told that it is taken.
    """
    grpc_server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.OTLP_MAX_REQUEST_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    handler = grpc.unary_unary_rpc_method_handler(
        export(offering),
        request_deserializer=None,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    grpc_server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": handler}),))
    return grpc_server


def export(offering: Offering) -> Callable[[bytes, Context], Awaitable[ExportTraceServiceResponse]]:
    """Return the Export method; its errors are those of the OTLP specification, "OTLP/gRPC Response"."""

    async def method(body: bytes, context: Context) -> ExportTraceServiceResponse:
        try:
            return await offering.export(body, tenant=settings.DEFAULT_TENANT)
        except MalformedRequest as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except QueueUnavailable as error:
            status = unavailable(str(error))
            context.set_trailing_metadata(((STATUS_DETAILS, status.SerializeToString()),))
            await context.abort(grpc.StatusCode.UNAVAILABLE, status.message)

    return method
