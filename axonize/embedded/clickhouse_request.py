"""A request to the embedded ClickHouse, as ClickHouse's HTTP interface reads it: query, data, parameters, settings."""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import IO

from starlette.requests import Request

from axonize.embedded.chdb_engine import Engine
from axonize.embedded.chdb_query import EngineError, Query, Summary, disk_errors_told
from axonize.embedded.clickhouse_body import TEXT_MAX_BYTES, new_body, statement_of

# Formats whose blocks can be written one after another; an answer in any other format is whole before it is sent.
STREAMED_FORMATS = frozenset({
    "Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "RowBinary", "JSONEachRow",
    "JSONCompactEachRow", "JSONStringsEachRow", "LineAsString",
})  # fmt: skip
WHOLE_RESULT_MAX_BYTES = 1024 * 1024 * 1024
# URL parameters of the interface itself; each of the others is a setting (ClickHouse: src/Server/HTTPHandler.cpp)
RESERVED = frozenset({
    "query", "database", "default_format", "session_id", "session_timeout", "session_check", "query_id",
    "wait_end_of_query", "buffer_size", "user", "password", "quota_key", "role", "stacktrace", "compress", "decompress",
    "client_protocol_version", "close_session",
})  # fmt: skip
# Settings about the HTTP connection, which is not the engine's here
OF_THE_CONNECTION = frozenset({
    "enable_http_compression", "http_zlib_compression_level", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
})  # fmt: skip


@dataclass
class Asked:
    """One request, read; ``format`` and ``summary`` are filled while it runs."""

    parameters: dict[str, str]
    body: IO[bytes]
    encoding: str
    read_only: bool
    default_format: str
    query_id: str
    format: str = ""
    may_be_cancelled: bool = False
    summary: Summary = field(default_factory=Summary)

    @property
    def wait_end_of_query(self) -> bool:
        return self.parameters.get("wait_end_of_query") in {"1", "true"}

    def pieces(self, engine: Engine, directory: str) -> Iterator[bytes]:
        """Run the query and yield its answer; each step may block, and may raise :class:`EngineError`."""
        given = self.parameters
        query_text = given.get("query", "").encode()
        with (
            disk_errors_told(),
            self.body,
            statement_of(query_text, self.body, self.encoding, directory) as (text, statement),
        ):
            if not text.strip():
                raise EngineError.made(62, "SYNTAX_ERROR", "Empty query")
            self.format = (None if statement.insert else statement.format) or self.default_format
            self.may_be_cancelled = statement.verb != "INSERT"
            streamed = statement.verb in {"SELECT", "WITH"} and self.format in STREAMED_FORMATS
            limits = {} if streamed or statement.verb == "INSERT" else {"max_result_bytes": str(WHOLE_RESULT_MAX_BYTES)}
            query = Query(
                text=text,
                query_id=self.query_id,
                format=self.format,
                verb=statement.verb,
                streamed=streamed,
                read_only=self.read_only,
                database=given.get("database", ""),
                parameters={name[6:]: value for name, value in given.items() if name.startswith("param_")},
                settings=limits | {name: value for name, value in given.items() if _is_setting(name)},
                session_id=given.get("session_id", ""),
                session_timeout_seconds=float(given.get("session_timeout", "60")),
            )
            yield from engine.execute(query, self.summary)


def _is_setting(name: str) -> bool:
    return not (name in RESERVED or name in OF_THE_CONNECTION or name.startswith("param_"))


async def read_request(request: Request, directory: str) -> Asked:
    """Take in a request, its body into ``directory`` when large.

    Raises:
        EngineError: the request asks for something that this front does not have, or the disk is full.
        ClientDisconnect: the client went away before the body's end.

    """
    parameters = dict(request.query_params)
    if parameters.get("decompress") in {"1", "true"} or parameters.get("compress") in {"1", "true"}:
        raise EngineError.made(48, "NOT_IMPLEMENTED", "Block compression: use Content-Encoding instead.")
    body = new_body(directory)
    try:
        async for chunk in request.stream():
            with disk_errors_told():
                body.write(chunk)
        content_type = request.headers.get("content-type", "")
        if content_type.startswith("multipart/form-data"):
            parameters |= _form_fields(content_type, body)
            body.close()
            body = new_body(directory)
    except BaseException:
        with suppress(OSError):  # it flushes, onto a disk that may be full
            body.close()
        raise
    return Asked(
        parameters=parameters,
        body=body,
        encoding=request.headers.get("content-encoding", "").lower(),
        read_only=request.method != "POST",
        default_format=parameters.get("default_format") or request.headers.get("x-clickhouse-format") or "TabSeparated",
        query_id=parameters.get("query_id") or str(uuid.uuid4()),
    )


def _form_fields(content_type: str, body: IO[bytes]) -> dict[str, str]:
    """Read the fields of a form (RFC 7578), in which clients put long queries and parameters; no files."""
    body.seek(0)
    content = body.read(TEXT_MAX_BYTES + 1)
    if len(content) > TEXT_MAX_BYTES:
        raise EngineError.made(229, "QUERY_IS_TOO_LARGE", f"The form exceeds {TEXT_MAX_BYTES} bytes.")
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        if part.get_filename() is not None:
            raise EngineError.made(48, "NOT_IMPLEMENTED", "External data for query processing.")
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            fields[str(name)] = payload.decode()
    return fields
