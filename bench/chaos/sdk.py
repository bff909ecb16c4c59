"""A real client: the OpenTelemetry SDK's batch processor and exporter, with nothing but their own retry."""

from concurrent.futures import Future, ThreadPoolExecutor

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SERVICE = "chaos-sdk"
EXPORT_SECONDS = 120


def export(port: int, *, spans: int) -> "Future[bool]":
    """Make spans and begin to export them; return the promise that tells whether all were handed over."""
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}", insecure=True, timeout=EXPORT_SECONDS)
    provider = TracerProvider(resource=Resource({"service.name": SERVICE}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=2 * spans, schedule_delay_millis=100))
    tracer = provider.get_tracer("chaos")
    for number in range(spans):
        tracer.start_span(f"sdk {number}").end()

    def deliver() -> bool:
        delivered = provider.force_flush(EXPORT_SECONDS * 1000)
        provider.shutdown()
        return delivered

    pool = ThreadPoolExecutor(1)
    promise = pool.submit(deliver)
    pool.shutdown(wait=False)
    return promise
