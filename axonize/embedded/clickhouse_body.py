"""What a request to the embedded ClickHouse asks: its query text, and an INSERT's data as a file the engine reads."""

import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import lz4.frame  # type: ignore[import-untyped]  # it ships no types
from backports import zstd

from axonize.embedded.chdb_query import EngineError
from axonize.embedded.sql import Statement, insert_from_file, outline

MEMORY_MAX_BYTES = 1024 * 1024
TEXT_MAX_BYTES = 16 * 1024 * 1024
# Content-Encoding -> ClickHouse's name of the method in FROM INFILE … COMPRESSION
COMPRESSION_METHODS = {
    "": "none",
    "identity": "none",
    "zstd": "zstd",
    "gzip": "gzip",
    "x-gzip": "gzip",
    "deflate": "deflate",
    "lz4": "lz4",
    "br": "br",
    "xz": "xz",
    "bz2": "bz2",
    "snappy": "snappy",
}
_DECODE_ERRORS = (OSError, EOFError, zlib.error, zstd.ZstdError)


def new_body(directory: str) -> IO[bytes]:
    """Make a place for a request's body: memory while it is small, then an unnamed file of ``directory``."""
    return tempfile.SpooledTemporaryFile(MEMORY_MAX_BYTES, dir=directory)


@contextmanager
def statement_of(query: bytes, body: IO[bytes], encoding: str, directory: str) -> Iterator[tuple[bytes, Statement]]:
    """Yield the SQL to run for a request, and its outline; files it names live as long as the context.

    ClickHouse reads ``query`` and the body as one text. The data of an INSERT is handed on as a file and never read
    here, compressed as it came; only where the query text itself is inside a compressed body is that body unpacked.

    Args:
        query: the ``query`` parameter of the URL, empty when absent.
        body: the request's body.
        encoding: its Content-Encoding, lower case, empty when absent.
        directory: where temporary files go.

    Raises:
        EngineError: an unknown or broken encoding, or a query text that is too large.

    """
    if encoding not in COMPRESSION_METHODS:
        raise EngineError.made(89, "UNKNOWN_COMPRESSION_METHOD", f"Unknown Content-Encoding: {encoding}")
    has_body = body.seek(0, 2) > 0
    body.seek(0)
    if query:
        statement = outline(query)
        if statement.insert and has_body and not query[statement.insert.data_start :].strip():
            yield insert_from_file(query, statement, _path(body), COMPRESSION_METHODS[encoding]), statement
            return
    with _decoded(body, COMPRESSION_METHODS[encoding]) as plain:
        start = query + b"\n" if query and has_body else query
        head = start + plain.read(TEXT_MAX_BYTES)
        statement = outline(head)
        inline_values = statement.insert and statement.format == "Values" and len(head) < MEMORY_MAX_BYTES
        if statement.insert is None or inline_values:
            if len(head) - len(start) >= TEXT_MAX_BYTES:
                raise EngineError.made(229, "QUERY_IS_TOO_LARGE", f"The query text exceeds {TEXT_MAX_BYTES} bytes.")
            yield head, statement
            return
        # chDB takes a text with data for many statements and looks for a ";" in the data: data never goes inline.
        with new_body(directory) as data:
            data.write(head[statement.insert.data_start :])
            shutil.copyfileobj(plain, data)
            yield insert_from_file(head, statement, _path(data), "none"), statement


def _path(file: IO[bytes]) -> str:
    file.flush()
    return f"/dev/fd/{file.fileno()}"


@contextmanager
def _decoded(body: IO[bytes], method: str) -> Iterator[IO[bytes]]:
    opener = _DECODERS.get(method)
    if opener is None:
        message = f"A query text inside a body compressed with {method}: send the text as the query parameter."
        raise EngineError.made(48, "NOT_IMPLEMENTED", message)
    try:
        yield opener(body)
    except _DECODE_ERRORS as error:
        raise EngineError.made(271, "CANNOT_DECOMPRESS", f"The request's body is no valid {method}: {error}") from None


class _Inflated(io.RawIOBase):
    """A zlib stream (RFC 1950), which is what HTTP means by ``deflate``, read piece by piece."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._zlib = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._zlib.eof:
            compressed = self._zlib.unconsumed_tail or self._source.read(len(target))
            data = self._zlib.decompress(compressed, len(target))
            if data:
                target[: len(data)] = data
                return len(data)
            if not compressed:
                raise EOFError("the stream ends early")
        return 0


_DECODERS: dict[str, Callable[[IO[bytes]], Any]] = {
    "none": lambda body: body,
    "zstd": lambda body: zstd.ZstdFile(body, "r"),
    "gzip": lambda body: gzip.GzipFile(fileobj=body, mode="rb"),
    "lz4": lz4.frame.LZ4FrameFile,
    "deflate": lambda body: io.BufferedReader(_Inflated(body)),
}
