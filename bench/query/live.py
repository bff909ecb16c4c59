"""Spans that arrive while questions are asked: a process of its own that sends OTLP/HTTP at a steady rate."""

import http.client
import multiprocessing
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bench.query.fleet import GENERATIONS, TENANTS, pods
from bench.query.requests import SPANS_A_REQUEST, message
from bench.template import Template

IN_FLIGHT = 4
TEMPLATES = 10
"""How many different requests there are; each tenant has its share of them."""
ANSWER_SECONDS = 30.0
JOIN_SECONDS = 60.0


@dataclass(frozen=True)
class Sent:
    """What became of one request."""

    due_s: float
    """time.monotonic() when it was to be sent, which all processes share."""
    acknowledged_ms: float
    """From then to its answer, so that one that had to wait for another one's answer is not flattered."""
    refusal: str
    """Empty where all of it was taken."""


@dataclass
class Arriving:
    """The stream, for as long as it runs; `sent` is filled when it has ended."""

    sent: Sequence[Sent] = ()

    def between(self, begin_s: float, end_s: float) -> list[Sent]:
        return [each for each in self.sent if begin_s <= each.due_s < end_s]


@contextmanager
def arriving(port: int, keys: Mapping[str, str], *, spans_per_second: float, seed: int) -> Iterator[Arriving]:
    """Send to a receiver's HTTP port, by each tenant's API key, for as long as the context lasts. 0 sends nothing."""
    stream = Arriving()
    if not spans_per_second:
        yield stream
        return
    context = multiprocessing.get_context("spawn")
    stop, (receiving, sending) = context.Event(), context.Pipe(duplex=False)
    arguments = (port, dict(keys), spans_per_second / SPANS_A_REQUEST, seed, stop, sending)
    process = context.Process(target=send, args=arguments, daemon=True)
    process.start()
    try:
        yield stream
    finally:
        stop.set()
        if receiving.poll(JOIN_SECONDS):
            stream.sent = receiving.recv()
        process.join(JOIN_SECONDS)


def send(port: int, keys: Mapping[str, str], rate: float, seed: int, stop: Event, results: Connection) -> None:
    """Send `rate` requests a second until told to stop; then hand over what became of each."""
    turns = templates(keys, seed)
    sent: list[Sent] = []
    guard = threading.Lock()
    started_s = time.monotonic()
    taken = 0

    def work() -> None:
        nonlocal taken
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)) as connection:
            while not stop.is_set():
                with guard:
                    number = taken
                    taken += 1
                due_s = started_s + number / rate
                if stop.wait(max(0.0, due_s - time.monotonic())):
                    return
                key, template = turns[number % len(turns)]
                with guard:  # a template is one buffer, so whoever takes it copies it
                    body = bytes(template.fresh(time.time_ns()))
                refusal = post(connection, key, body)
                sent.append(Sent(due_s, (time.monotonic() - due_s) * 1000, refusal))

    threads = [threading.Thread(target=work) for _ in range(IN_FLIGHT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.send(sent)


def templates(keys: Mapping[str, str], seed: int) -> list[tuple[str, Template]]:
    """Return requests, each with the API key that it is sent by."""
    fleet = [pod for pod in pods()[-len(pods()) // GENERATIONS :] if pod.devices]
    found = []
    for tenant, share in TENANTS.items():
        own = [pod for pod in fleet if pod.tenant == tenant]
        for number in range(round(share * TEMPLATES)):
            dice = random.Random(f"{seed}/{tenant}/{number}")  # noqa: S311 - no secret
            found.append((keys[tenant], Template(message(own, dice), dice)))
    return found


def send_once(port: int, keys: Mapping[str, str], *, seed: int) -> None:
    """Send each request once. Raises RuntimeError when one is refused."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)) as connection:
        for key, template in templates(keys, seed):
            refusal = post(connection, key, bytes(template.fresh(time.time_ns())))
            if refusal:
                raise RuntimeError(f"The receiver refused a request: {refusal}")


def post(connection: http.client.HTTPConnection, key: str, body: bytes) -> str:
    """Send a request and return why it was refused, "" where it was not."""
    headers = {"content-type": "application/x-protobuf", "authorization": f"Bearer {key}"}
    try:
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()  # the next request opens it again
        return f"no answer: {error!r}"
    if answer.status != HTTPStatus.OK:
        return f"HTTP {answer.status}"
    rejected = ExportTraceServiceResponse.FromString(content).partial_success
    return f"{rejected.rejected_spans} spans: {rejected.error_message}" if rejected.rejected_spans else ""
