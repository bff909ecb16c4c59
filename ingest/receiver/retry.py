"""A refusal that passes: what a client is told, in the words of google.rpc, so that it comes again."""

import math

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import UNAVAILABLE
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from ingest.refusals import TryLater


def unavailable(error: TryLater) -> Status:
    """Return the status whose RetryInfo makes a refusal retryable (OTLP specification, "OTLP/gRPC Throttling")."""
    delay = Duration()
    delay.FromMilliseconds(math.ceil(error.retry_after_seconds * 1000))
    detail = Any()
    detail.Pack(RetryInfo(retry_delay=delay))
    return Status(code=UNAVAILABLE, message=str(error), details=[detail])


def retry_after(error: TryLater) -> str:
    """Return the same for HTTP's Retry-After, which has whole seconds (RFC 9110, section 10.2.3)."""
    return str(max(1, math.ceil(error.retry_after_seconds)))
