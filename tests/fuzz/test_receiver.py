"""Any bytes into the running receiver, over real sockets: it answers in OTLP's words, stays alive, and stays small."""

import json
import random
import re
import subprocess
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException

import grpc
import pytest
import redis
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.engines import free_ports
from tests.fuzz.mutations import Mutator
from tests.fuzz.plugin import Tally
from tests.fuzz.seeds import seeds
from tests.fuzz.test_bodies import COMPRESSIONS, mutated_json
from tests.fuzz.wire import EXPORT, HttpConnection, chunked_request, grpc_conversation, http_request, send_and_hang_up
from tests.otlp import otlp_json
from tests.processes import Process, running

REQUESTS = 300
PROTOBUF, JSON = "application/x-protobuf", "application/json"
MAX_GROWTH_MIB = 150
ODD_HEADERS = (
    {"content-encoding": "gzip, gzip"},
    {"content-encoding": "br"},
    {"content-encoding": ""},
    {"content-encoding": "\xff"},
    {"content-type": ""},
    {"content-type": "text/plain"},
    {"content-type": f"{PROTOBUF}; charset=utf-8"},
    {"content-type": "application/json;" * 100},
    {"Expect": "100-continue"},
    {"Connection": "close"},
    {"Connection": "Upgrade", "Upgrade": "h2c"},
    {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"},
    {"X-Forwarded-For": "1.2.3.4"},
    {"Authorization": "Bearer \xff"},
    {"Authorization": "Basic eDp4"},
    {"x-long": "x" * 8000},
)
# What is put in place of what, in the framing of a request.
BROKEN_FRAMING = (
    *((b"POST", other) for other in (b"", b"P\0ST", b"post", b"PRI", b"BREW", b"POST POST")),
    *(
        (b"/v1/traces", other)
        for other in (b"", b"*", b"/v1/%zz", b"//", b"http://[::1", b"/\xff", b"/" + b"x" * 70_000)
    ),
    *((b"HTTP/1.1", other) for other in (b"HTTP/9.9", b"HTTP/1.0", b"HTTP/2.0", b"SMTP", b"")),
    *((b"Host: localhost\r\n", other) for other in (b"", b"Host\r\n", b" Host: x\r\n", b"Host: \0\r\n", b": x\r\n")),
    *(
        (b"Content-Length: ", b"Content-Length: " + other)
        for other in (b"-", b"+", b"0x", b"9" * 30, b"1, ", b"5\r\nContent-Length: ")
    ),
    *((b"chunked", other) for other in (b"gzip, chunked", b"chunked, gzip", b"x", b"chunked\r\nContent-Length: 5")),
    *(
        (b"\r\n0\r\n", other)
        for other in (b"\r\nf" + b"f" * 20 + b"\r\n", b"\r\n-1\r\n", b"\r\nzz\r\n", b"\r\n0;x=y\r\n")
    ),
    (b"\r\n", b"\n"),
    (b": ", b":"),
)


@dataclass(frozen=True)
class Receiver:
    process: Process
    grpc_port: int
    http_port: int

    @property
    def resident_mib(self) -> int:
        """What the process holds in memory."""
        pid = str(self.process.popen.pid)
        return int(subprocess.run(["ps", "-o", "rss=", "-p", pid], check=True, capture_output=True).stdout) // 1024


@pytest.fixture(scope="module")
def receiver(engines: object) -> Iterator[Receiver]:  # noqa: ARG001  it must run
    grpc_port, http_port = free_ports(2)
    command = ("manage.py", "receive_otlp", "--grpc-port", str(grpc_port), "--http-port", str(http_port))
    with running(*command, until="OTLP/gRPC on") as process:
        yield Receiver(process, grpc_port, http_port)


@pytest.fixture(autouse=True)
def serves_on(receiver: Receiver, queue: redis.Redis) -> Iterator[None]:
    """Hold, after each storm, that the receiver lives, serves, has not grown beyond measure, and met no surprise."""
    serves(receiver)
    before = receiver.resident_mib
    yield
    queue.flushdb()
    serves(receiver)
    # gRPC's own library logs each header that is no text, with a traceback
    ours = re.sub(r"Invalid encoding on .*\nTraceback", "", receiver.process.output)
    assert "Traceback" not in ours, ours[ours.index("Traceback") - 1000 :][:5000]
    assert receiver.resident_mib - before < MAX_GROWTH_MIB


def serves(receiver: Receiver) -> None:
    body = seeds()[0]
    with HttpConnection(receiver.http_port) as connection:
        assert connection.post(body, {"Content-Type": PROTOBUF}) == (200, PROTOBUF, b"")
    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
        export = channel.unary_unary(EXPORT, None, ExportTraceServiceResponse.FromString)
        assert export(body, timeout=10) == ExportTraceServiceResponse()


def emptied(queue: redis.Redis, number: int) -> None:
    """Empty the queue now and then, lest it is full and refuses all."""
    if number % 1000 == 999:
        queue.flushdb()


def fault_of_answer(status: int, media_type: str, content: bytes) -> str:
    """Return what is wrong with an answer to an export, '' where it is one of OTLP's ("OTLP/HTTP Response")."""
    if status >= 500 and status != 503:
        return f"answered {status} {content!r}"
    failure = Status()
    message: Message = ExportTraceServiceResponse() if status == 200 else failure
    try:
        if media_type == PROTOBUF:
            message.ParseFromString(content)
        elif media_type == JSON:
            Parse(content, message)
        else:
            return f"answered {status} as {media_type!r}: {content!r}"
    except (DecodeError, ParseError) as error:
        return f"answered {status} {content!r}: {error}"
    return "" if status == 200 or failure.message else f"answered {status} without a reason"


class HttpRequests:
    """Draws well-framed requests with mutated bodies."""

    def __init__(self, dice: random.Random) -> None:
        plain = seeds()
        self._dice = dice
        self._protobuf = Mutator(plain, dice)
        self._documents = [json.loads(otlp_json(ExportTraceServiceRequest.FromString(body))) for body in plain]

    def draw(self) -> tuple[bytes, dict[str, str]]:
        dice = self._dice
        if dice.random() < 0.3:
            body = mutated_json(dice, dice.choice(self._documents)).encode("utf-8", "surrogatepass")
            headers = {"Content-Type": JSON}
        else:
            body = self._protobuf.structured() if dice.random() < 0.6 else self._protobuf.torn()
            headers = {"Content-Type": PROTOBUF}
        if dice.random() < 0.4:
            encoding = dice.choice(tuple(COMPRESSIONS))
            body = COMPRESSIONS[encoding](body)
            if dice.random() < 0.3:
                body = Mutator([body], dice).torn()
            headers["Content-Encoding"] = encoding
        return body, headers


def test_every_well_framed_http_request_gets_an_answer_of_otlp(
    receiver: Receiver, queue: redis.Redis, tally: Tally
) -> None:
    requests = HttpRequests(tally.dice)
    with HttpConnection(receiver.http_port) as connection:
        for number in range(REQUESTS * tally.times):
            emptied(queue, number)
            body, headers = requests.draw()
            if tally.dice.random() < 0.1:
                headers |= tally.dice.choice(ODD_HEADERS)
            try:
                status, media_type, content = connection.post(body, headers)
                fault = fault_of_answer(status, media_type, content)
            except (OSError, HTTPException) as error:
                fault = repr(error)
                connection.close()
            if fault:
                tally.crash(f"{fault}\n{headers} {body.hex()}")
            else:
                tally.count("accepted" if status == 200 else "rejected")
    tally.settle()


def test_broken_http_is_refused_or_hung_up_on(receiver: Receiver, tally: Tally) -> None:
    requests = HttpRequests(tally.dice)
    for _ in range(REQUESTS * tally.times // 4):
        body, headers = requests.draw()
        framed = tally.dice.choice((http_request, chunked_request))(body, headers)
        if tally.dice.random() < 0.7:
            sent = framed.replace(*tally.dice.choice(BROKEN_FRAMING))
        else:
            sent = cut(tally.dice, Mutator([framed[:400], framed], tally.dice).torn())
        answer = send_and_hang_up(receiver.http_port, sent)
        statuses = [int(status) for status in re.findall(rb"^HTTP/1\.1 ([0-9]{3})", answer)]
        if any(status >= 500 and status != 503 for status in statuses):
            tally.crash(f"answered {answer[:300]!r}\n{sent.hex()}")
        tally.count("answered" if statuses else "hung up on")
    tally.settle()


def test_every_grpc_call_gets_a_status_of_otlp(receiver: Receiver, queue: redis.Redis, tally: Tally) -> None:
    mutator = Mutator(seeds(), tally.dice)
    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
        export = channel.unary_unary(EXPORT, None, ExportTraceServiceResponse.FromString)
        for number in range(REQUESTS * tally.times):
            emptied(queue, number)
            body = mutator.structured() if tally.dice.random() < 0.6 else mutator.torn()
            compression = tally.dice.choice((grpc.Compression.NoCompression, grpc.Compression.Gzip))
            try:
                export(body, timeout=10, compression=compression)
                tally.count("accepted")
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                    tally.crash(f"{error.code()} {error.details()}\n{body.hex()}")
                else:
                    tally.count("rejected")
    tally.settle()


def test_broken_http2_is_hung_up_on(receiver: Receiver, tally: Tally) -> None:
    dice = tally.dice
    bodies = Mutator(seeds(), dice)
    sent_last: deque[bytes] = deque(maxlen=10)
    for _ in range(REQUESTS * tally.times // 4):
        whole = grpc_conversation(
            bodies.torn(),
            compressed=dice.choice((0, 0, 1, 2)),
            encoding=dice.choice(("identity", "gzip", "deflate", "zstd")),
        )
        sent = cut(dice, Mutator([whole[:200], whole], dice).torn() if dice.random() < 0.8 else whole)
        sent_last.append(sent)
        try:
            tally.count("answered" if send_and_hang_up(receiver.grpc_port, sent) else "hung up on")
        except ConnectionRefusedError as error:
            tally.crash("\n".join([f"{error}. Sent last:", *(each.hex() for each in sent_last)]))
            break
    tally.settle()


def cut(dice: random.Random, sent: bytes) -> bytes:
    """Return the bytes, at times without their end."""
    return sent[: dice.randrange(len(sent) + 1)] if dice.random() < 0.3 else sent
