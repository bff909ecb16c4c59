"""The SDK's OTLP exporter with an honest count of what became of the spans."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

# How long one export may take, its retries included, before its spans are given up.
EXPORT_TIMEOUT_S = 10.0
_PROBE_TIMEOUT_S = 2.0


class ReceiverUnavailableError(Exception):
    """Nothing that takes OTLP over gRPC answers at the endpoint; the message says what came instead."""


class KeyNeededError(Exception):
    """The endpoint asks for an API key, or for another one; the message has its words."""


@dataclass(slots=True)
class Tally:
    """What became of the spans: ended by the fleet, answered OK, refused in `partial_success`, failed for good.

    Spans that a full queue dropped are in none of the last three: the SDK tells of them in its log only.
    """

    ended: int = 0
    answered: int = 0
    refused: int = 0
    failed: int = 0
    reason: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def delivered(self) -> int:
        return self.answered - self.refused

    @property
    def lost(self) -> int:
        """Spans that no request brought to the server; those still on their way count until the sender is closed."""
        return self.ended - self.answered


class _WatchedStub:
    """The trace service's stub; notes what the SDK's exporter drops: `partial_success` and the last error's text."""

    def __init__(self, stub: Any, tally: Tally) -> None:
        self._stub = stub
        self._tally = tally

    def Export(self, request: ExportTraceServiceRequest, **options: Any) -> ExportTraceServiceResponse:  # noqa: N802, the stub's name
        try:
            response: ExportTraceServiceResponse = self._stub.Export(request=request, **options)
        except grpc.RpcError as error:
            with self._tally.lock:
                self._tally.reason = f"{error.code().name}: {error.details()}"
            raise
        if response.partial_success.rejected_spans:
            with self._tally.lock:
                self._tally.refused += response.partial_success.rejected_spans
                self._tally.reason = response.partial_success.error_message
        return response


class CountingExporter(OTLPSpanExporter):
    """The SDK's OTLP/gRPC exporter, counted.

    The SDK's own `export` answers SUCCESS for a request whose spans the server refused in `partial_success` (OTLP,
    "Partial Success"), hence the watched stub; the channel is made anew after UNAVAILABLE, hence this hook.
    """

    def __init__(self, endpoint: str, tally: Tally, timeout_s: float = EXPORT_TIMEOUT_S) -> None:
        self._tally = tally
        super().__init__(endpoint=endpoint if "://" in endpoint else f"http://{endpoint}", timeout=timeout_s)

    def _initialize_channel_and_stub(self) -> None:
        super()._initialize_channel_and_stub()  # type: ignore[no-untyped-call]  # the SDK's method has no annotations
        self._client: Any = _WatchedStub(self._client, self._tally)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        with self._tally.lock:
            if result is SpanExportResult.SUCCESS:
                self._tally.answered += len(spans)
            else:
                self._tally.failed += len(spans)
        return result


def probe(endpoint: str) -> None:
    """Send an empty request, which OTLP answers with OK. Raises ReceiverUnavailableError, KeyNeededError."""
    tally = Tally()
    exporter = CountingExporter(endpoint, tally, timeout_s=_PROBE_TIMEOUT_S)
    try:
        if exporter.export(()) is not SpanExportResult.SUCCESS:
            is_refused = tally.reason.startswith(("UNAUTHENTICATED", "PERMISSION_DENIED"))
            raise (KeyNeededError if is_refused else ReceiverUnavailableError)(tally.reason)
    finally:
        exporter.shutdown()


@contextmanager
def quiet_sdk() -> Iterator[None]:
    """Keep the SDK's warnings out of the log: it writes one for each failed request, and the tally tells the same."""
    logger = logging.getLogger("opentelemetry")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
