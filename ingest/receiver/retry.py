"""When a refused client shall come again, in the words of google.rpc and of HTTP."""

from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

RETRY_AFTER_SECONDS = 1


def retry_info() -> RetryInfo:
    """Return the detail that makes a refusal retryable (OTLP specification, "OTLP/gRPC Throttling")."""
    return RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_SECONDS))
