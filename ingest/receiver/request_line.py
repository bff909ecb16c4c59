"""One log line a request of the receiver, and its count: what became of it, and nothing of what is in it."""

import logging
import re
import time
from functools import lru_cache
from typing import Any, Final

from axonize.flood import OncePerSecond
from axonize.log_lines import write_line
from axonize.metrics.receiving import answered
from axonize.request_id import request_id_of
from ingest.intake import Verdict

logger = logging.getLogger("axonize.request")

OK: Final = frozenset({"OK", 200})
# Of gRPC, and the status by which web servers note that the client has left before its answer.
CLIENT_GONE: Final = frozenset({"CANCELLED", 499})
FAILED: Final = frozenset({"UNKNOWN", 500})

_refusals = OncePerSecond()


class RequestLine:
    """What is known of a request so far. Who handles it fills it in; `end` tells it once, when the answer is known.

    `status` is gRPC's name of a code or HTTP's number. `batch_id` is '' where nothing was appended, as of bytes that
    were taken before.
    """

    __slots__ = (
        "batch_id", "is_probe", "method", "reason", "request_id", "route", "size_bytes", "started_s", "status",
        "tenant", "transport", "verdict",
    )  # fmt: skip

    def __init__(self, transport: str, method: str, route: str, status: str | int, sent_id: str | None) -> None:
        """Begin a line.

        Args:
            transport: GRPC or HTTP, of axonize.metrics.receiving.
            method: gRPC's, or HTTP's.
            route: the service and method, or the path if it is one that we have.
            status: that of a request which fails as nobody foresaw.
            sent_id: what the client sent as the request's id.

        """
        self.started_s = time.perf_counter()
        self.transport = transport
        self.method = method
        self.route = route
        self.status = status
        self.request_id = request_id_of(sent_id)
        self.is_probe = False
        self.tenant: str | None = None
        self.size_bytes = 0
        self.verdict: Verdict | None = None
        self.batch_id = ""
        self.reason = ""

    def refused(self, status: str | int, error: BaseException) -> None:
        """Note how a request ends that is not taken."""
        self.status = status
        self.reason = reason_of(error)

    def end(self) -> None:
        """Count the request, and write its line."""
        seconds = time.perf_counter() - self.started_s
        if not self.is_probe:
            answered(self.transport, str(self.status), seconds)
        self._write(seconds)

    def _write(self, seconds: float) -> None:
        level, left_out = self._level()
        if not logger.isEnabledFor(level):
            return
        fields: dict[str, Any] = {
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "duration_ms": round(seconds * 1000, 3),
            "tenant": self.tenant,
            "request_id": self.request_id,
            "bytes": self.size_bytes,
        }
        if self.reason:
            fields["reason"] = self.reason
        if self.verdict is not None:
            fields["spans"] = self.verdict.accepted_spans
            fields["rejected"] = self.verdict.rejected_spans
            if self.verdict.faults:
                fields["reasons"] = {fault.name.lower(): spans for fault, spans in self.verdict.faults.items()}
            fields["batch_id"] = self.batch_id
        if left_out:
            fields["left_out"] = left_out
        write_line(logger, level, "request", fields)

    def _level(self) -> tuple[int, int]:
        """Return the level, and how many lines of the same kind were left out before."""
        status = self.status
        if status in OK:
            return (logging.DEBUG if self.is_probe else logging.INFO), 0
        if status in FAILED:
            return logging.ERROR, 0
        if status in CLIENT_GONE:
            return logging.INFO, 0
        left_out = _refusals.left_out((status, self.route, self.reason))
        return (logging.DEBUG, 0) if left_out is None else (logging.WARNING, left_out)


def reason_of(error: BaseException) -> str:
    """Return an exception's name as a reason.

    >>> reason_of(ConnectionResetError())
    'connection_reset_error'
    """
    return _in_snake_case(type(error).__name__)


@lru_cache(maxsize=64)
def _in_snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
