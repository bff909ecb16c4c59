"""Clients that obey OTLP: what is not acknowledged is sent again, the same bytes, until it is."""

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bench.chaos import numbered

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
STATUS_DETAILS = "grpc-status-details-bin"
ATTEMPT_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
SMALL, LARGE = 5, 512  # spans a request
LARGE_SHARE = 0.2
REPEATED_SHARE = 0.1
"""Of the acknowledged requests, what is sent once more, as if the answer had been lost on its way."""
# OTLP specification, "OTLP/gRPC Response" and "OTLP/HTTP Response": what a client may send again
RETRYABLE_CODES = frozenset({
    grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS,
})  # fmt: skip
RETRYABLE_STATUSES = frozenset({
    HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
})  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What became of one attempt."""

    taken: bool
    refused: bool = False
    """The server answered that it can't now; otherwise there was no answer at all."""
    retry_after_seconds: float | None = None
    """What the refusal asked for; None where it said nothing."""
    fault: str = ""
    """An answer that a client must not get: it would give the spans up."""


Attempt = Callable[[bytes], Answer]


@dataclass
class Tally:
    """What all senders of a phase saw; written by each of them."""

    acknowledged: list[range] = field(default_factory=list)
    undecided: list[range] = field(default_factory=list)
    refused: int = 0
    unhinted: int = 0
    """Refusals without RetryInfo or Retry-After."""
    slowest_refusal_seconds: float = 0.0
    broken: int = 0
    """Attempts without an answer: connections lost, deadlines passed."""
    faults: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, answer: Answer, spans: range, seconds: float) -> None:
        with self.guard:
            if answer.taken:
                self.acknowledged.append(spans)
            elif answer.fault:
                self.faults.append(answer.fault)
                self.undecided.append(spans)
            elif answer.refused:
                self.refused += 1
                self.unhinted += answer.retry_after_seconds is None
                self.slowest_refusal_seconds = max(self.slowest_refusal_seconds, seconds)
            else:
                self.broken += 1

    def acknowledged_spans(self) -> set[int]:
        return {number for spans in self.acknowledged for number in spans}


class Senders:
    """Threads that send numbered spans at a steady rate until told to stop; each finishes what it has begun."""

    def __init__(
        self, *, grpc_port: int, http_port: int, numbers: Iterator[range], seed: int, count: int = 4, rate: float = 5.0
    ) -> None:
        """Start `count` senders, every other one over HTTP, each with up to `rate` requests a second."""
        self.tally = Tally()
        self._numbers = numbers
        self._stop = threading.Event()
        self._give_up = threading.Event()
        makers = cycle([lambda: grpc_attempts(grpc_port), lambda: http_attempts(http_port)])
        dices = [random.Random(seed + each) for each in range(count)]  # noqa: S311 - no secret
        self._threads = [
            threading.Thread(target=self._send, args=(next(makers), dice, rate), daemon=True) for dice in dices
        ]
        for thread in self._threads:
            thread.start()

    def _send(self, attempts: Callable[[], AbstractContextManager[Attempt]], dice: random.Random, rate: float) -> None:
        with attempts() as attempt:
            while not self._stop.wait(dice.uniform(0.5, 1.5) / rate):
                with self.tally.guard:
                    spans = next(self._numbers)
                self._deliver(attempt, spans, dice)

    def _deliver(self, attempt: Attempt, spans: range, dice: random.Random) -> None:
        body = numbered.request(spans.start, len(spans))
        pause = FIRST_PAUSE_SECONDS
        while True:
            started = time.monotonic()
            answer = attempt(body)
            self.tally.add(answer, spans, time.monotonic() - started)
            if answer.taken and dice.random() < REPEATED_SHARE:
                attempt(body)
            if answer.taken or answer.fault:
                return
            if self._give_up.wait((answer.retry_after_seconds or pause) * dice.uniform(0.8, 1.2)):
                with self.tally.guard:
                    self.tally.undecided.append(spans)
                return
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def stop(self) -> None:
        """Begin no further request."""
        self._stop.set()

    def join(self, timeout_seconds: float) -> None:
        """Wait until every request that was begun is acknowledged; when the time is up, leave the others undecided."""
        self.stop()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._give_up.set()
        for thread in self._threads:
            thread.join()


def numbers(dice: random.Random, *, first: int = 0) -> Iterator[range]:
    """Yield the spans of one request after the other, without a gap: most requests small, some large."""
    while True:
        count = LARGE if dice.random() < LARGE_SHARE else SMALL
        yield range(first, first + count)
        first += count


@contextmanager
def grpc_attempts(port: int) -> Iterator[Attempt]:
    """Lend a way to send over OTLP/gRPC."""
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_reconnect_backoff_ms", 1000), ("grpc.enable_retries", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        export = channel.unary_unary(
            EXPORT, request_serializer=None, response_deserializer=ExportTraceServiceResponse.FromString
        )

        def attempt(body: bytes) -> Answer:
            try:
                return accepted(export(body, timeout=ATTEMPT_SECONDS))
            except grpc.RpcError as error:
                return grpc_answer(error)

        yield attempt


def accepted(response: ExportTraceServiceResponse) -> Answer:
    rejected = response.partial_success
    if rejected.rejected_spans:
        return Answer(taken=False, fault=f"{rejected.rejected_spans} spans rejected: {rejected.error_message}")
    return Answer(taken=True)


def grpc_answer(error: grpc.RpcError) -> Answer:
    """Read an error: one that the server made carries a status with details, a lost connection does not."""
    code, trailers = error.code(), {item.key: item.value for item in error.trailing_metadata() or ()}
    if code not in RETRYABLE_CODES:
        return Answer(taken=False, fault=f"{code.name}: {error.details()}")
    if STATUS_DETAILS not in trailers:
        return Answer(taken=False, refused=bool(trailers) and code == grpc.StatusCode.UNAVAILABLE)
    retry = RetryInfo()
    hinted = any(detail.Unpack(retry) for detail in Status.FromString(trailers[STATUS_DETAILS]).details)
    seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return Answer(taken=False, refused=True, retry_after_seconds=seconds if hinted else None)


@contextmanager
def http_attempts(port: int) -> Iterator[Attempt]:
    """Lend a way to send over OTLP/HTTP, on one connection for as long as it lasts."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ATTEMPT_SECONDS)) as connection:

        def attempt(body: bytes) -> Answer:
            try:
                connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
                response = connection.getresponse()
                return http_answer(response.status, response.read(), response.getheader("retry-after"))
            except (OSError, http.client.HTTPException):
                connection.close()  # the next request opens it again
                return Answer(taken=False)

        yield attempt


def http_answer(status: int, body: bytes, retry_after: str | None) -> Answer:
    if status == HTTPStatus.OK:
        return accepted(ExportTraceServiceResponse.FromString(body))
    if status in RETRYABLE_STATUSES:
        return Answer(taken=False, refused=True, retry_after_seconds=float(retry_after) if retry_after else None)
    return Answer(taken=False, fault=f"HTTP {status}: {body[:200]!r}")
