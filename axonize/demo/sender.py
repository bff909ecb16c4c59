"""Turning steps into spans and sending them: one OpenTelemetry provider and exporter a pod."""

import secrets
from concurrent.futures import ThreadPoolExecutor

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from axonize.demo.exporter import CountingExporter, Tally
from axonize.demo.fleet import FLEET, Pod
from axonize.demo.spans import Step


class _Ids(IdGenerator):
    """Ids from the system's randomness: a repeated seed repeats the traffic, and never an id that is already stored."""

    def __init__(self, trace_id_bits: int) -> None:
        self._trace_id_bits = trace_id_bits

    def generate_span_id(self) -> int:
        return secrets.randbits(64) or 1

    def generate_trace_id(self) -> int:
        return secrets.randbits(self._trace_id_bits) or 1


class Sender:
    """The fleet's pods as OpenTelemetry providers, each with a queue, batches and an exporter of its own."""

    def __init__(self, endpoint: str, pods: tuple[Pod, ...] = FLEET) -> None:
        self.tally = Tally()
        self._providers = {pod.name: self._provider(pod, endpoint) for pod in pods}

    def send(self, request: Step, *, end_ns: int) -> int:
        """Make a request's spans so that it ends at `end_ns` (nanoseconds since 1970); return how many there are.

        They are queued, and sent within a second.
        """
        start_ns = end_ns - request.end_ns
        contexts: dict[Step, SpanContext] = {}
        for step, parent in request.walk():
            contexts[step] = self._record(step, parent, contexts, start_ns)
        with self.tally.lock:
            self.tally.ended += len(contexts)
        return len(contexts)

    def flush(self) -> None:
        """Send all that is queued and wait for the answers."""
        with ThreadPoolExecutor(len(self._providers)) as pool:
            list(pool.map(TracerProvider.force_flush, self._providers.values()))

    def close(self) -> None:
        """Send all that is queued and end the pods; a receiver that is away holds this up for some seconds."""
        with ThreadPoolExecutor(len(self._providers)) as pool:
            list(pool.map(TracerProvider.shutdown, self._providers.values()))

    def _provider(self, pod: Pod, endpoint: str) -> TracerProvider:
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource(pod.resource),
            shutdown_on_exit=False,
            id_generator=_Ids(pod.trace_id_bits),
        )
        provider.add_span_processor(
            BatchSpanProcessor(
                CountingExporter(endpoint, self.tally),
                max_queue_size=2048,
                schedule_delay_millis=1000,
                max_export_batch_size=512,
            )
        )
        return provider

    def _record(self, step: Step, parent: Step | None, contexts: dict[Step, SpanContext], start_ns: int) -> SpanContext:
        # An empty context makes a root, whatever span is current in this process.
        context = Context()
        if parent is not None:
            above = contexts[parent]
            remote = SpanContext(
                above.trace_id, above.span_id, parent.pod is not step.pod, TraceFlags(above.trace_flags)
            )
            context = trace.set_span_in_context(NonRecordingSpan(remote))
        tracer = self._providers[step.pod.name].get_tracer(step.scope.name, step.scope.version)
        span = tracer.start_span(
            step.name,
            context=context,
            kind=step.kind,
            attributes=step.attributes,
            links=[trace.Link(contexts[earlier]) for earlier in step.links],
            start_time=start_ns + step.start_ns,
        )
        for event in step.events:
            span.add_event(event.name, event.attributes, timestamp=start_ns + event.at_ns)
        if step.status is not StatusCode.UNSET:
            span.set_status(Status(step.status, step.error))
        span.end(end_time=start_ns + step.end_ns)
        return span.get_span_context()
