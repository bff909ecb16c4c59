"""A client of gRPC that does what no library would: its frames are written by hand (RFC 9113, gRPC over HTTP/2)."""

import socket
import struct
from collections.abc import Mapping

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
SETTINGS_INITIAL_WINDOW_SIZE = 4
INITIAL_WINDOW_BYTES = 65_535
FRAME_BYTES = 16_384
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header_block(headers: Mapping[str, str]) -> bytes:
    """Return headers in the plainest form that HPACK has: literals, not indexed (RFC 7541, section 6.2.2)."""
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in headers.items()
    )


class Call:
    """One Export call on a connection of its own, sent as far as the test says."""

    def __init__(self, port: int, **headers: str) -> None:
        self._windows = {0: INITIAL_WINDOW_BYTES, 1: INITIAL_WINDOW_BYTES}  # of the connection, of the call
        self._said = b""
        self._ended = False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        block = header_block(
            {
                ":method": "POST",
                ":scheme": "http",
                ":path": EXPORT,
                ":authority": "tests",
                "content-type": "application/grpc",
                "te": "trailers",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            }
        )
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, block))

    def send(self, data: bytes, *, last: bool = False) -> None:
        """Send bytes of the call's body, as fast as the server takes them."""
        for at in range(0, len(data), FRAME_BYTES):
            piece = data[at : at + FRAME_BYTES]
            while min(self._windows.values()) < len(piece):
                self._receive()
            self._windows = {stream: window - len(piece) for stream, window in self._windows.items()}
            end = END_STREAM if last and at + FRAME_BYTES >= len(data) else 0
            self.socket.sendall(frame(DATA, end, 1, piece))

    def answer(self) -> bytes:
        """Return all that the server sent, once it has ended the call."""
        while not self._ended:
            self._receive()
        return self._said

    def _receive(self) -> None:
        """Take in one frame."""
        head = self._exactly(9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = self._exactly(int.from_bytes(head[:3], "big"))
        self._said += payload
        if kind == WINDOW_UPDATE and stream in self._windows:
            self._windows[stream] += int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                setting, value = struct.unpack(">HI", payload[at : at + 6])
                if setting == SETTINGS_INITIAL_WINDOW_SIZE:
                    self._windows[1] += value - INITIAL_WINDOW_BYTES
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.socket.sendall(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY or (stream == 1 and (kind == RST_STREAM or flags & END_STREAM)):
            self._ended = True

    def _exactly(self, size_bytes: int) -> bytes:
        received = b""
        while len(received) < size_bytes:
            piece = self.socket.recv(size_bytes - len(received))
            assert piece, "the server closed the connection"
            received += piece
        return received

    def close(self) -> None:
        self.socket.close()


def message_head(size_bytes: int, *, compressed: bool = False) -> bytes:
    """Return what stands before a message: whether it is compressed, and its size."""
    return struct.pack(">BI", compressed, size_bytes)
