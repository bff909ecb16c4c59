"""OTLP on bare sockets, one request at a time a connection: a client library takes as much CPU as what is measured."""

import socket
from collections.abc import Callable, Mapping
from typing import Protocol

TIMEOUT_SECONDS = 60.0
RECEIVE_BYTES = 64 * 1024

# HTTP/2 (RFC 9113) "Frame Definitions"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD_BYTES = 9
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 4, 5
_OUR_WINDOW_BYTES = 2**30  # for all answers of a run
_GRPC_PATH = b"/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_GRPC_HEAD_BYTES = 5


class Connection(Protocol):
    """A connection to a receiver."""

    def export(self, body: bytes | bytearray, *, gzip: bool = False) -> str:
        """Send a request and return why it was not taken whole, "" where it was. Raises OSError."""

    def close(self) -> None: ...


class HttpConnection:
    """OTLP/HTTP over HTTP/1.1 (RFC 9112)."""

    def __init__(self, port: int) -> None:
        self._socket = _connected(port)
        self._unread = b""

    def export(self, body: bytes | bytearray, *, gzip: bool = False) -> str:
        head = (
            b"POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-protobuf\r\n"
            + (b"content-encoding: gzip\r\n" if gzip else b"")
            + b"content-length: %d\r\n\r\n" % len(body)
        )
        if len(body) < RECEIVE_BYTES:
            self._socket.sendall(head + body)
        else:
            self._socket.sendall(head)
            self._socket.sendall(body)
        while (end := self._unread.find(b"\r\n\r\n")) < 0:
            self._read()
        head, self._unread = self._unread[:end].lower(), self._unread[end + 4 :]
        size = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        while len(self._unread) < size:
            self._read()
        answer, self._unread = self._unread[:size], self._unread[size:]
        status = head.split(b" ", 2)[1]
        return "" if status == b"200" and not answer else f"HTTP {status.decode()}"

    def _read(self) -> None:
        received = self._socket.recv(RECEIVE_BYTES)
        if not received:
            raise ConnectionError("The receiver closed the connection.")
        self._unread += received

    def close(self) -> None:
        self._socket.close()


class GrpcConnection:
    """OTLP/gRPC: gRPC over HTTP/2, with as much of it as one call after the other takes."""

    def __init__(self, port: int) -> None:
        self._socket = _connected(port)
        self._unread = bytearray()
        self._stream = -1
        self._window = self._initial_window = 65_535
        self._stream_window = 0
        self._most_a_frame = 16_384
        self._headers = {gzip: _header_block(port, gzip=gzip) for gzip in (False, True)}
        settings = _INITIAL_WINDOW_SIZE.to_bytes(2, "big") + _OUR_WINDOW_BYTES.to_bytes(4, "big")
        update = _OUR_WINDOW_BYTES.to_bytes(4, "big")
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + _frame(_WINDOW_UPDATE, 0, 0, update))

    def export(self, body: bytes | bytearray, *, gzip: bool = False) -> str:
        self._stream += 2
        self._stream_window = self._initial_window
        pending: list[bytes | memoryview] = [_frame(_HEADERS, _END_HEADERS, self._stream, self._headers[gzip])]
        rest = memoryview(bytes([gzip]) + len(body).to_bytes(4, "big") + body)
        answer = b""
        while True:
            while rest and (room := min(self._window, self._stream_window, self._most_a_frame, len(rest))) > 0:
                pending += [_frame_head(_DATA, _END_STREAM * (room == len(rest)), self._stream, room), rest[:room]]
                self._window -= room
                self._stream_window -= room
                rest = rest[room:]
            if pending:
                self._send(pending)
                pending = []
            kind, flags, stream, content = self._next_frame()
            if stream == self._stream:
                if kind == _DATA:
                    answer += content
                elif kind == _RST_STREAM:
                    return "the stream was reset"
                if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                    break
        # A call that failed has trailers and no message; one that was taken whole has an empty message.
        if len(answer) == _GRPC_HEAD_BYTES:
            return ""
        return "rejected spans" if answer else "refused"

    def _send(self, pending: "list[bytes | memoryview]") -> None:
        self._socket.sendall(b"".join(pending))

    def _next_frame(self) -> tuple[int, int, int, bytes]:
        """Return the next frame (type, flags, stream, content), after doing what it asks of the connection."""
        self._fill(_HEAD_BYTES)
        head = self._unread
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:9], "big")
        self._fill(_HEAD_BYTES + size)
        content = bytes(self._unread[_HEAD_BYTES : _HEAD_BYTES + size])
        del self._unread[: _HEAD_BYTES + size]
        if kind == _WINDOW_UPDATE:
            increment = int.from_bytes(content, "big")
            if stream == 0:
                self._window += increment
            elif stream == self._stream:
                self._stream_window += increment
        elif kind == _SETTINGS and not flags & _ACK:
            self._apply(content)
            self._socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._socket.sendall(_frame(_PING, _ACK, 0, content))
        elif kind == _GOAWAY:
            raise ConnectionError("The receiver closed the connection.")
        return kind, flags, stream, content

    def _apply(self, settings: bytes) -> None:
        for at in range(0, len(settings), 6):
            name, value = int.from_bytes(settings[at : at + 2], "big"), int.from_bytes(settings[at + 2 : at + 6], "big")
            if name == _INITIAL_WINDOW_SIZE:
                self._stream_window += value - self._initial_window
                self._initial_window = value
            elif name == _MAX_FRAME_SIZE:
                self._most_a_frame = value

    def _fill(self, size: int) -> None:
        while len(self._unread) < size:
            received = self._socket.recv(RECEIVE_BYTES)
            if not received:
                raise ConnectionError("The receiver closed the connection.")
            self._unread += received

    def close(self) -> None:
        self._socket.close()


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _frame_head(kind: int, flags: int, stream: int, size: int) -> bytes:
    return size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return _frame_head(kind, flags, stream, len(content)) + content


def _header_block(port: int, *, gzip: bool) -> bytes:
    """Return the headers of a call as HPACK has them (RFC 7541), each a literal that nobody has to remember."""
    headers = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", _GRPC_PATH),
        (b":authority", b"127.0.0.1:%d" % port),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    if gzip:
        headers.append((b"grpc-encoding", b"gzip"))
    return b"".join(b"\x00" + bytes([len(name)]) + name + bytes([len(text)]) + text for name, text in headers)


CONNECTIONS: Mapping[str, Callable[[int], Connection]] = {"grpc": GrpcConnection, "http": HttpConnection}
