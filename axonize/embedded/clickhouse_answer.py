"""How the embedded ClickHouse answers over HTTP: status, headers, pieces as they come, an error even in the middle."""

import asyncio
import json
import logging
import secrets
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any, TypeVar

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from axonize.embedded.chdb_engine import Engine
from axonize.embedded.chdb_query import EngineError, disk_errors_told
from axonize.embedded.clickhouse_body import MEMORY_MAX_BYTES, new_body
from axonize.embedded.clickhouse_request import Asked

T = TypeVar("T")
logger = logging.getLogger(__name__)

# ClickHouse: src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; any other code is 500
CODES_OF_STATUS = {
    400: {6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676},
    401: {194},
    403: {192, 193, 497, 512, 516},
    404: {46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511},
    408: {159},
    411: {381},
    413: {229},
    415: {779},
    501: {48},
    503: {76, 209, 439},
}
STATUS_OF_CODE = {code: status for status, codes in CODES_OF_STATUS.items() for code in codes}
CONTENT_TYPES = {
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
}


def refusal(error: EngineError, query_id: str = "") -> Response:
    """Make the answer in place of a result."""
    headers = {"X-ClickHouse-Exception-Code": str(error.code), "X-ClickHouse-Query-Id": query_id}
    return PlainTextResponse(f"{error}\n", STATUS_OF_CODE.get(error.code, 500), headers)


class Answer(Response):
    """The answer to one query, from the thread that runs it to the socket; its memory is bounded, its size is not."""

    background = None

    def __init__(self, engine: Engine, pool: Executor, asked: Asked, directory: str) -> None:
        """Answer a request.

        Args:
            engine: where the query runs.
            pool: the threads that run queries.
            asked: the request.
            directory: where a large body, or an answer that is to be sent whole, goes.

        """
        self._engine = engine
        self._pool = pool
        self._asked = asked
        self._directory = directory
        self._exception_tag = secrets.token_hex(8)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_client_gone(receive))
        pieces = self._asked.pieces(self._engine, self._directory)
        try:
            await self._answer(pieces, gone, send)
        except EngineError as error:
            await refusal(error, self._asked.query_id)(scope, receive, send)
        finally:
            gone.cancel()
            with suppress(RuntimeError):  # the pool is closed: the engine ends all queries by itself then
                self._pool.submit(_close, pieces)

    async def _answer(self, pieces: Iterator[bytes], gone: "asyncio.Task[None]", send: Send) -> None:
        """Send the result; an error before the first byte is raised, a later one ends the connection."""
        if self._asked.wait_end_of_query:
            with new_body(self._directory) as whole:
                await self._in_thread(lambda: _write(whole, pieces), gone)
                size = whole.tell()
                whole.seek(0)
                await send(self._start({"content-length": str(size)}))
                await _send_file(send, whole)
            return
        piece = await self._in_thread(lambda: next(pieces, None), gone)
        await send(self._start({"X-ClickHouse-Exception-Tag": self._exception_tag}))
        try:
            while piece is not None and not gone.done():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await self._in_thread(lambda: next(pieces, None), gone)
        except EngineError as error:
            if not gone.done():
                # A chunked body without its end is known to be broken; the text in it says why.
                await send({"type": "http.response.body", "body": self._exception_block(error), "more_body": True})
                logger.warning("A query failed after its first rows, with code %d", error.code)
                return
        await send({"type": "http.response.body", "body": b""})

    async def _in_thread(self, step: Callable[[], T], gone: "asyncio.Task[None]") -> T:
        """Run a step of the query in the pool; when the client goes away meanwhile, a query that only reads ends."""
        work = asyncio.get_running_loop().run_in_executor(self._pool, step)
        either: set[asyncio.Future[Any]] = {work, gone}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not work.done() and self._asked.may_be_cancelled:
            await asyncio.to_thread(self._engine.cancel, self._asked.query_id)
        return await work

    def _start(self, more: dict[str, str]) -> dict[str, object]:
        summary = {name: str(value) for name, value in asdict(self._asked.summary).items()}
        headers = {
            "Content-Type": CONTENT_TYPES.get(self._asked.format, "text/plain; charset=UTF-8"),
            "X-ClickHouse-Server-Display-Name": socket.gethostname(),
            "X-ClickHouse-Query-Id": self._asked.query_id,
            "X-ClickHouse-Format": self._asked.format,
            "X-ClickHouse-Timezone": self._engine.timezone,
            "X-ClickHouse-Summary": json.dumps(summary),
            **more,
        }
        raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        return {"type": "http.response.start", "status": 200, "headers": raw}

    def _exception_block(self, error: EngineError) -> bytes:
        """ClickHouse's form of an error inside a result: WriteBufferFromHTTPServerResponse::cancelWithException."""
        tag, text = self._exception_tag, f"{error}\n"
        return f"\r\n__exception__\r\n{tag}\r\n{text}{len(text.encode())} {tag}\r\n__exception__\r\n".encode()


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_file(send: Send, file: IO[bytes]) -> None:
    while True:
        chunk = file.read(MEMORY_MAX_BYTES)
        await send({"type": "http.response.body", "body": chunk, "more_body": bool(chunk)})
        if not chunk:
            return


def _write(file: IO[bytes], pieces: Iterator[bytes]) -> None:
    with disk_errors_told():
        file.writelines(pieces)


def _close(pieces: Iterator[bytes]) -> None:
    """Cancel what is left of a query; one that is being stepped right now ends by itself."""
    with suppress(ValueError):
        pieces.close()  # type: ignore[attr-defined]
