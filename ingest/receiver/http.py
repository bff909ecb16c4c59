"""OTLP/HTTP: POST /v1/traces in protobuf or JSON; GET /healthz and /readyz for whoever watches the process."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import uvicorn
from django.conf import settings
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import (
    INVALID_ARGUMENT,
    NOT_FOUND,
    OUT_OF_RANGE,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    UNIMPLEMENTED,
)
from google.rpc.status_pb2 import Status

from axonize.metrics.receiving import HTTP, refused_requests
from axonize.request_id import METADATA
from ingest.intake import MalformedRequest
from ingest.otlp_json import to_protobuf
from ingest.receiver.access import NotPermitted, authorize
from ingest.receiver.admission import Admission
from ingest.receiver.body import BodyCorrupt, BodyTooLarge, ClientGone, EncodingUnknown, Receive, read_body
from ingest.receiver.connection import Connection
from ingest.receiver.offering import Offering
from ingest.receiver.readiness import Readiness
from ingest.receiver.request_line import RequestLine, reason_of
from ingest.receiver.retry import retry_after, unavailable
from ingest.refusals import RateExceeded, TryLater
from registry.keys import KeyRefused

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for"})
REQUEST_ID = METADATA.encode()
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ROUTES = frozenset({"/v1/traces", "/healthz", "/readyz"})
REFUSALS = (MalformedRequest, BodyCorrupt, KeyRefused, NotPermitted, BodyTooLarge, EncodingUnknown, TryLater)
JSON_SHARE = 4  # JSON unfolds to far more than protobuf does, so it may have this part of a request's size

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]


def application(offering: Offering, admission: Admission, readiness: Readiness) -> Application:
    """Return the ASGI application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        # Both are the client's to choose, and may be anything.
        line = RequestLine(
            HTTP, method if method in METHODS else "", path if path in ROUTES else "", 500, headers.get(REQUEST_ID)
        )
        answer = Answer(send, line)
        try:
            match (method, path):
                case ("POST", "/v1/traces"):
                    await export(offering, admission, scope, headers, receive, answer)
                case ("GET" | "HEAD", "/healthz"):
                    line.is_probe = True
                    await answer(200, b'{"status": "ok"}', JSON)
                case ("GET" | "HEAD", "/readyz"):
                    line.is_probe = True
                    await tell_readiness(answer, readiness.unready)
                case (_, "/v1/traces"):
                    status = Status(code=UNIMPLEMENTED, message="Send traces with POST.")
                    await answer(405, encode(status, JSON), JSON, [(b"allow", b"POST")])
                case _:
                    status = Status(code=NOT_FOUND, message="There is nothing here. Send traces to /v1/traces.")
                    await answer(404, encode(status, JSON), JSON)
        except (ClientGone, asyncio.CancelledError) as error:
            line.refused(499, error)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            line.end()

    return app


async def tell_readiness(answer: "Answer", unready: str) -> None:
    """Answer 200 where spans are taken, 503 and why where not."""
    answer.line.reason = "not_ready" if unready else ""
    body = {"status": "unavailable", "reason": unready} if unready else {"status": "ready"}
    await answer(503 if unready else 200, json.dumps(body).encode(), JSON)


async def export(
    offering: Offering,
    admission: Admission,
    scope: Scope,
    headers: Mapping[bytes, str],
    receive: Receive,
    answer: "Answer",
) -> None:
    """Answer one export as the OTLP specification says ("OTLP/HTTP Response"), in the encoding of the request.

    Raises ClientGone.
    """
    line = answer.line
    media_type = headers.get(b"content-type", "").split(";")[0].strip().lower()
    if media_type not in (PROTOBUF, JSON):
        status = Status(code=INVALID_ARGUMENT, message=f"Content-Type must be {PROTOBUF} or {JSON}.")
        line.reason = "content_type_unknown"
        await answer(415, encode(status, JSON), JSON)
        return
    extra: Headers = ()
    try:
        peer, _ = scope["client"] or ("", 0)  # none where it left already
        identity = await authorize(
            headers.get(b"authorization"), peer=peer, forwarded=not FORWARDED.isdisjoint(headers)
        )
        line.tenant = identity.tenant
        encoding = headers.get(b"content-encoding", "")
        with admission.place() as place:
            body = place.read(lambda: read(receive, media_type, encoding))
            response: Message = await offering.export(await body, identity=identity, line=line)
        code = 200
    except REFUSALS as error:
        code, response, extra = refusal(error)
        line.reason = reason_of(error)
    await answer(code, encode(response, media_type), media_type, extra)


async def read(receive: Receive, media_type: str, encoding: str) -> bytes:
    """Return the request as protobuf.

    Raises BodyTooLarge, BodyCorrupt, EncodingUnknown, ClientGone, MalformedRequest.
    """
    if media_type == JSON:
        return to_protobuf(
            await read_body(receive, encoding=encoding, max_bytes=settings.OTLP_MAX_REQUEST_BYTES // JSON_SHARE)
        )
    return await read_body(receive, encoding=encoding, max_bytes=settings.OTLP_MAX_REQUEST_BYTES)


def refusal(error: Exception) -> tuple[int, Status, Headers]:
    """Return the status, the answer and the headers to one of REFUSALS.

    TryLater makes a client come again (RFC 6585, section 4, for 429).
    """
    match error:
        case TryLater():
            refused_requests[error.reason].inc()
            code = 429 if isinstance(error, RateExceeded) else 503
            return code, unavailable(error), ((b"retry-after", retry_after(error).encode()),)
        case KeyRefused():
            return 401, Status(code=UNAUTHENTICATED, message=str(error)), ((b"www-authenticate", b"Bearer"),)
        case NotPermitted():
            return 403, Status(code=PERMISSION_DENIED, message=str(error)), ()
        case BodyTooLarge():
            return 413, Status(code=OUT_OF_RANGE, message=str(error)), ()
    code = 415 if isinstance(error, EncodingUnknown) else 400
    return code, Status(code=INVALID_ARGUMENT, message=str(error)), ()


def encode(message: Message, media_type: str) -> bytes:
    """Return a message in the request's encoding."""
    return MessageToJson(message, indent=None).encode() if media_type == JSON else message.SerializeToString()


class Answer:
    """The answer to one request, and its line in the log."""

    def __init__(self, send: Send, line: RequestLine) -> None:
        self.line = line
        self._send = send

    async def __call__(self, status: int, body: bytes, media_type: str, headers: Headers = ()) -> None:
        """Send it whole."""
        self.line.status = status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", media_type.encode()),
                    (b"content-length", str(len(body)).encode()),
                    (REQUEST_ID, self.line.request_id.encode()),
                    *headers,
                ],
            }
        )
        await self._send({"type": "http.response.body", "body": body})


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the receiver has two servers and one way to stop."""

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


def server(
    offering: Offering,
    admission: Admission,
    readiness: Readiness,
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None = None,
) -> Server:
    """Return a server of the application, not yet started."""
    config = uvicorn.Config(
        application(offering, admission, readiness),
        host=host,
        port=port,
        http=Connection,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
        ws="none",
        timeout_keep_alive=75,  # longer than clients pause between two exports
    )
    config.load()
    config.ssl = tls
    return Server(config)
