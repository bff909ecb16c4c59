"""OTLP/HTTP: POST /v1/traces in protobuf or JSON; GET /healthz for whoever watches the process."""

import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
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

from axonize.metrics.receiving import refused_requests
from ingest.intake import MalformedRequest
from ingest.otlp_json import to_protobuf
from ingest.receiver.access import NotPermitted, authorize
from ingest.receiver.admission import Admission
from ingest.receiver.body import BodyCorrupt, BodyTooLarge, ClientGone, EncodingUnknown, Receive, read_body
from ingest.receiver.connection import Connection
from ingest.receiver.figures import counted_http
from ingest.receiver.offering import Offering
from ingest.receiver.retry import retry_after, unavailable
from ingest.refusals import RateExceeded, TryLater
from registry.keys import KeyRefused

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for"})
JSON_SHARE = 4  # JSON unfolds to far more than protobuf does, so it may have this part of a request's size

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]


def application(offering: Offering, admission: Admission) -> Application:
    """Return the ASGI application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        route = (scope["method"], scope["path"])
        match route:
            case ("POST", "/v1/traces"):
                await export(offering, admission, scope, receive, send)
            case ("GET" | "HEAD", "/healthz"):
                await respond(send, 200, b'{"status": "ok"}', JSON)
            case (_, "/v1/traces"):
                status = Status(code=UNIMPLEMENTED, message="Send traces with POST.")
                await respond(send, 405, encode(status, JSON), JSON, [(b"allow", b"POST")])
            case _:
                status = Status(code=NOT_FOUND, message="There is nothing here. Send traces to /v1/traces.")
                await respond(send, 404, encode(status, JSON), JSON)

    return app


async def export(offering: Offering, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one export as the OTLP specification says ("OTLP/HTTP Response"), in the encoding of the request."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    media_type = headers.get(b"content-type", "").split(";")[0].strip().lower()
    if media_type not in (PROTOBUF, JSON):
        status = Status(code=INVALID_ARGUMENT, message=f"Content-Type must be {PROTOBUF} or {JSON}.")
        await respond(send, 415, encode(status, JSON), JSON)
        return
    extra: Headers = ()
    try:
        peer, _ = scope["client"] or ("", 0)  # none where it left already
        identity = await authorize(
            headers.get(b"authorization"), peer=peer, forwarded=not FORWARDED.isdisjoint(headers)
        )
        encoding = headers.get(b"content-encoding", "")
        with admission.place() as place:
            body = place.read(lambda: read(receive, media_type, encoding))
            response: Message = await offering.export(await body, identity=identity)
        code = 200
    except ClientGone:
        return
    except (MalformedRequest, BodyCorrupt) as error:
        code, response = 400, Status(code=INVALID_ARGUMENT, message=str(error))
    except KeyRefused as error:
        code, response = 401, Status(code=UNAUTHENTICATED, message=str(error))
        extra = ((b"www-authenticate", b"Bearer"),)
    except NotPermitted as error:
        code, response = 403, Status(code=PERMISSION_DENIED, message=str(error))
    except BodyTooLarge as error:
        code, response = 413, Status(code=OUT_OF_RANGE, message=str(error))
    except EncodingUnknown as error:
        code, response = 415, Status(code=INVALID_ARGUMENT, message=str(error))
    except TryLater as error:
        code, response, extra = refusal_for_now(error)
    await respond(send, code, encode(response, media_type), media_type, extra)


async def read(receive: Receive, media_type: str, encoding: str) -> bytes:
    """Return the request as protobuf.

    Raises BodyTooLarge, BodyCorrupt, EncodingUnknown, ClientGone, MalformedRequest.
    """
    if media_type == JSON:
        return to_protobuf(
            await read_body(receive, encoding=encoding, max_bytes=settings.OTLP_MAX_REQUEST_BYTES // JSON_SHARE)
        )
    return await read_body(receive, encoding=encoding, max_bytes=settings.OTLP_MAX_REQUEST_BYTES)


def refusal_for_now(error: TryLater) -> tuple[int, Status, Headers]:
    """Return the status, the answer and the headers that make a client come again (RFC 6585, section 4, for 429)."""
    refused_requests[error.reason].inc()
    code = 429 if isinstance(error, RateExceeded) else 503
    return code, unavailable(error), ((b"retry-after", retry_after(error).encode()),)


def encode(message: Message, media_type: str) -> bytes:
    """Return a message in the request's encoding."""
    return MessageToJson(message, indent=None).encode() if media_type == JSON else message.SerializeToString()


async def respond(send: Send, status: int, body: bytes, media_type: str, headers: Headers = ()) -> None:
    """Send one whole answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", media_type.encode()),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the receiver has two servers and one way to stop."""

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


def server(
    offering: Offering, admission: Admission, *, host: str, port: int, tls: ssl.SSLContext | None = None
) -> Server:
    """Return a server of the application, not yet started."""
    config = uvicorn.Config(
        counted_http(application(offering, admission)),
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
