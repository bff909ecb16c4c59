"""A refusal that passes: what a client is told, in the words of google.rpc, so that it comes again."""

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import UNAVAILABLE
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

RETRY_AFTER_SECONDS = 1


def unavailable(message: str) -> Status:
    """Return the status whose RetryInfo makes a refusal retryable (OTLP specification, "OTLP/gRPC Throttling")."""
    detail = Any()
    detail.Pack(RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_SECONDS)))
    return Status(code=UNAVAILABLE, message=message, details=[detail])
