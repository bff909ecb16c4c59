"""What a receiver counts: requests, their spans, bytes and time. Per request, never per span."""

from typing import Final

from prometheus_client import Counter, Histogram

GRPC: Final = "grpc"
HTTP: Final = "http"
GRPC_CODES: Final = (
    "OK",
    "CANCELLED",
    "INVALID_ARGUMENT",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "UNAVAILABLE",
    "UNKNOWN",
)
HTTP_CODES: Final = ("200", "400", "401", "403", "404", "405", "413", "415", "429", "499", "500", "503")
REASONS_FOR_NOW: Final = ("queue_full", "queue_unreachable", "rate", "busy", "keys_unreachable")

REQUESTS: Final = Counter(
    "axonize_receiver_requests_total",
    "Requests answered, by gRPC's or HTTP's code; 499 is a client that left.",
    ["transport", "code"],
)
REQUEST_SECONDS: Final = Histogram(
    "axonize_receiver_request_duration_seconds",
    "From a request's headers to its answer.",
    ["transport"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
REFUSED_REQUESTS: Final = Counter(
    "axonize_receiver_throttled_requests_total",
    "Requests refused for now, which clients send again.",
    ["reason"],
)
WIRE_BYTES: Final = Counter(
    "axonize_receiver_wire_bytes_total",
    "Bodies of OTLP/HTTP as they came; gRPC does not tell the size of its own.",
    ["transport"],
)
BODY_BYTES: Final = Counter("axonize_receiver_body_bytes_total", "Bodies after decompression.", ["transport"])
SPANS_RECEIVED: Final = Counter(
    "axonize_spans_received_total", "Spans of the requests that were answered with success, whatever became of them."
)
SPANS_REFUSED: Final = Counter(
    "axonize_spans_refused_total", "Spans refused for good, each alone, by what is wrong.", ["reason"]
)
DUPLICATE_REQUESTS: Final = Counter(
    "axonize_duplicate_requests_total", "Requests that were taken before and sent again; they are stored once."
)
DUPLICATE_SPANS: Final = Counter("axonize_duplicate_spans_total", "Spans of requests that were taken before.")

# Bound once, for a label is looked up under a lock; and so that each is there, as 0, before the first time.
requests: Final = {
    (transport, code): REQUESTS.labels(transport, code)
    for transport, codes in ((GRPC, GRPC_CODES), (HTTP, HTTP_CODES))
    for code in codes
}
request_seconds: Final = {transport: REQUEST_SECONDS.labels(transport) for transport in (GRPC, HTTP)}
body_bytes: Final = {transport: BODY_BYTES.labels(transport) for transport in (GRPC, HTTP)}
wire_bytes: Final = WIRE_BYTES.labels(HTTP)
refused_requests: Final = {reason: REFUSED_REQUESTS.labels(reason) for reason in REASONS_FOR_NOW}


def answered(transport: str, code: str, seconds: float) -> None:
    """Count one answered request."""
    counter = requests.get((transport, code)) or REQUESTS.labels(transport, code)
    counter.inc()
    request_seconds[transport].observe(seconds)
