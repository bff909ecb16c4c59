"""Speaks to the receiver by raw sockets: HTTP/1.1 and gRPC's HTTP/2 as bytes that can be broken."""

import contextlib
import select
import socket
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Self

TIMEOUT_S = 10.0
PATIENCE_S = 0.03
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# RFC 9113 section 6
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4


class HttpConnection:
    """A connection that is kept as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
        """Send one well-framed request; return status, media type and body of the answer."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S)
        self._socket.sendall(http_request(body, headers))
        answer = HTTPResponse(self._socket, method="POST")
        answer.begin()
        content = answer.read()
        if answer.will_close:
            self.close()
        return answer.status, answer.headers.get("content-type", ""), content

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def http_request(body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = ["POST /v1/traces HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked_request(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a request whose body comes in chunks (RFC 9112 section 7.1)."""
    lines = ["POST /v1/traces HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:100], body[100:]) if part)
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + chunks + b"0\r\n\r\n"


def grpc_conversation(body: bytes, *, compressed: int = 0, encoding: str = "identity") -> bytes:
    """Return all that a gRPC client sends for one call (gRPC over HTTP/2, "Requests"), headers in plain HPACK."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": EXPORT,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        "grpc-encoding": encoding,
    }
    message = bytes([compressed]) + len(body).to_bytes(4, "big") + body
    return (
        PREFACE
        + frame(SETTINGS, 0, 0, b"")
        + frame(HEADERS, END_HEADERS, 1, b"".join(literal(name, value) for name, value in headers.items()))
        + frame(DATA, END_STREAM, 1, message)
    )


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


def literal(name: str, value: str) -> bytes:
    """Return a header field that no table is asked for (RFC 7541 section 6.2.2); shorter than 127 bytes each."""
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def send_and_hang_up(port: int, sent: bytes) -> bytes:
    """Send bytes and return what comes back at once; a server may well wait for more, so this hangs up first."""
    received = b""
    # a server that has seen enough hangs up on its own
    with (
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.sendall(sent)
        if select.select([connection], [], [], PATIENCE_S)[0]:
            received = connection.recv(65536)
    return received
