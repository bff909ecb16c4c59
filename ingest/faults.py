"""Why a span is refused: in words for whoever sent it, and by the names that metrics have for the same."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from axonize.metrics.receiving import SPANS_REFUSED

LAST_KIND = max(Span.SpanKind.values())
LAST_STATUS_CODE = 2  # STATUS_CODE_ERROR, opentelemetry/proto/trace/v1/trace.proto
MAX_ATTRIBUTES = 4096  # of a span; OpenTelemetry's SDKs stop at 128 unless told otherwise


class Fault(StrEnum):
    """What can be wrong with a span."""

    TRACE_ID = "trace_id must be 16 bytes, not all zero"
    SPAN_ID = "span_id must be 8 bytes, not all zero"
    PARENT_SPAN_ID = "parent_span_id must be empty or 8 bytes"
    ENDS_EARLY = "end_time_unix_nano is before start_time_unix_nano"
    TOO_OLD = "start_time_unix_nano is further back than spans are kept"
    FUTURE = "end_time_unix_nano is more than a day ahead"
    KIND = f"kind must be 0 to {LAST_KIND}"
    STATUS = f"status.code must be 0 to {LAST_STATUS_CODE}"
    TOO_MANY_ATTRIBUTES = f"a span may have at most {MAX_ATTRIBUTES} attributes"
    SHARED_TOO_LONG = "the resource and the scope are too long for so many spans in one request"


_refused: Final = {fault: SPANS_REFUSED.labels(fault.name.lower()) for fault in Fault}


def count(faults: Mapping[Fault, int]) -> None:
    """Count refused spans."""
    for fault, spans in faults.items():
        _refused[fault].inc(spans)
