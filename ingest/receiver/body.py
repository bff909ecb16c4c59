"""The body of an OTLP/HTTP request: read and decompressed within a bound."""

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Protocol

from backports import zstd

from axonize.metrics.receiving import HTTP, body_bytes, wire_bytes

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
GZIP_WINDOW_BITS = zlib.MAX_WBITS | 16
PIECE_BYTES = 16 * 1024
MAX_MEMBERS = 10_000


class BodyTooLarge(Exception):
    """The body, as sent or decompressed, is over the bound."""


class BodyCorrupt(Exception):
    """The body does not decompress, or ends too early."""


class EncodingUnknown(Exception):
    """The Content-Encoding is none that we decode."""


class ClientGone(Exception):
    """The client went away before its body was complete; nobody waits for an answer."""


class Decompressor(Protocol):
    """What zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


async def read_body(receive: Receive, *, encoding: str, max_bytes: int) -> bytes:
    """Return the decompressed body of an ASGI request.

    `encoding` is the Content-Encoding: identity, gzip, deflate or zstd (RFC 9110 section 8.4.1). Never holds more than
    `max_bytes` of either form. Raises BodyTooLarge, BodyCorrupt, EncodingUnknown, ClientGone.
    """
    chunks: list[bytes] = []
    size_bytes = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes > max_bytes:
            raise BodyTooLarge(f"The request is larger than {max_bytes} bytes; send smaller batches.")
        chunks.append(chunk)
        more = message.get("more_body", False)
    wire_bytes.inc(size_bytes)
    body = decompress(b"".join(chunks), encoding=encoding, max_bytes=max_bytes)
    body_bytes[HTTP].inc(len(body))
    return body


def decompress(body: bytes, *, encoding: str, max_bytes: int) -> bytes:
    """Return `body` without its Content-Encoding. Raises BodyTooLarge, BodyCorrupt, EncodingUnknown."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            start: Callable[[], Decompressor] = partial(zlib.decompressobj, GZIP_WINDOW_BITS)
        case "deflate":
            # RFC 9110 means zlib's wrapper by it, some clients send the bare stream; the wrapper's checksum tells.
            wrapped = len(body) > 1 and body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
            start = partial(zlib.decompressobj, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        case "zstd":
            start = zstd.ZstdDecompressor
        case _:
            raise EncodingUnknown(f"Content-Encoding {encoding!r} is not known; send gzip, deflate, zstd or none.")
    return _decompress(body, start, encoding=encoding, max_bytes=max_bytes)


def _decompress(body: bytes, start: Callable[[], Decompressor], *, encoding: str, max_bytes: int) -> bytes:
    """Decompress all members of a stream: gzip (RFC 1952 section 2.2) and zstd (RFC 8878 section 3) have several.

    Goes through it piece by piece, for what a member leaves over is copied, and a body can be a million empty members.
    """
    plain = bytearray()
    at = 0
    for _ in range(MAX_MEMBERS + 1):
        if at == len(body):
            return bytes(plain)
        decompressor = start()
        while not decompressor.eof:
            piece = body[at : at + PIECE_BYTES]
            if not piece:
                raise BodyCorrupt(f"The {encoding} body ends too early.")
            try:
                plain += decompressor.decompress(piece, max_bytes + 1 - len(plain))
            except (zlib.error, zstd.ZstdError) as error:
                raise BodyCorrupt(f"The body is not valid {encoding}.") from error
            if len(plain) > max_bytes:
                raise BodyTooLarge(f"The decompressed request is larger than {max_bytes} bytes; send smaller batches.")
            at += len(piece) - len(decompressor.unused_data)
    raise BodyCorrupt(f"The {encoding} body has more than {MAX_MEMBERS:,} members; compress it as one.")
