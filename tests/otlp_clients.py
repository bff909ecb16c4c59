"""Clients of a running receiver: a request by either transport, what it answers, and the exporters of the SDK."""

import urllib.error
import urllib.request
from collections.abc import Mapping

import grpc
from django.conf import settings
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from tests.otlp import request, span

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


def export_grpc(
    body: bytes,
    *,
    port: int | None = None,
    compression: grpc.Compression = grpc.Compression.NoCompression,
    metadata: Mapping[str, str] | None = None,
) -> ExportTraceServiceResponse:
    with grpc.insecure_channel(f"127.0.0.1:{port or settings.OTLP_GRPC_PORT}") as channel:
        call = channel.unary_unary(EXPORT, None, ExportTraceServiceResponse.FromString)
        response: ExportTraceServiceResponse = call(
            body, timeout=10, compression=compression, metadata=tuple((metadata or {}).items())
        )
        return response


def is_taken() -> bool:
    """Tell whether a good request is; if it is not, the client is told to come again."""
    try:
        return export_grpc(request(span()).SerializeToString()) == ExportTraceServiceResponse()
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        return False


def post(
    body: bytes, headers: Mapping[str, str], *, port: int | None = None, path: str = "/v1/traces", method: str = "POST"
) -> tuple[int, Mapping[str, str], bytes]:
    """Return status, headers and body of the answer, whatever it is."""
    url = f"http://127.0.0.1:{port or settings.OTLP_HTTP_PORT}{path}"
    message = urllib.request.Request(url, data=body, headers=dict(headers), method=method)
    try:
        with urllib.request.urlopen(message, timeout=10) as answer:
            return answer.status, dict(answer.headers.items()), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers.items()), error.read()


def sdk_exporters() -> list[tuple[str, SpanExporter]]:
    grpc_endpoint = f"http://127.0.0.1:{settings.OTLP_GRPC_PORT}"
    http_endpoint = f"http://127.0.0.1:{settings.OTLP_HTTP_PORT}/v1/traces"
    return [
        ("grpc", GrpcSpanExporter(endpoint=grpc_endpoint, insecure=True)),
        ("grpc, gzip", GrpcSpanExporter(endpoint=grpc_endpoint, insecure=True, compression=grpc.Compression.Gzip)),
        ("http", HttpSpanExporter(endpoint=http_endpoint)),
        ("http, gzip", HttpSpanExporter(endpoint=http_endpoint, compression=Compression.Gzip)),
        ("http, deflate", HttpSpanExporter(endpoint=http_endpoint, compression=Compression.Deflate)),
    ]


def send_by_sdk(exporter: SpanExporter, name: str) -> None:
    """Have the OpenTelemetry SDK send a span, and wait until it has."""
    provider = TracerProvider(resource=Resource({"service.name": "sdk"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    with provider.get_tracer("tests").start_as_current_span(name):
        pass
    provider.shutdown()
