"""Dead letters, from the queue into PostgreSQL and on to whoever reads them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from backports import zstd
from django.db.models import Q, QuerySet
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.models import DeadLetter

TENANT_MAX_CHARACTERS = 200
ERROR_MAX_CHARACTERS = 100
REASON_MAX_CHARACTERS = 1000
HEX_BYTES_A_LINE = 32


@dataclass(frozen=True)
class Letter:
    """What of a batch can't be stored: spans of one request, or bytes that can't be decoded (`spans` is 0 then)."""

    tenant: str
    error: str
    reason: str
    spans: int
    body: bytes


def packed(letters: Sequence[Letter], *, failed_at: datetime) -> bytes:
    """Return letters as one value for the queue, which holds them until PostgreSQL does."""
    heads = [
        {name: value for name, value in vars(letter).items() if name != "body"} | {"body_bytes": len(letter.body)}
        for letter in letters
    ]
    head = json.dumps({"failed_at": failed_at.isoformat(), "letters": heads}).encode()
    return zstd.compress(b"\n".join([head, b"".join(letter.body for letter in letters)]))


def store(batch_id: str, value: bytes) -> int:
    """Store a batch's packed letters in PostgreSQL, those that are there already left as they are; return how many.

    Raises django.db.DatabaseError where PostgreSQL is away.
    """
    head_json, _, bodies = zstd.decompress(value).partition(b"\n")
    head = json.loads(head_json)
    failed_at = datetime.fromisoformat(head["failed_at"])
    letters = []
    for number, fields in enumerate(head["letters"]):
        size = fields.pop("body_bytes")
        letters.append(
            DeadLetter(
                batch_id=batch_id,
                number=number,
                failed_at=failed_at,
                tenant=_text(fields["tenant"], TENANT_MAX_CHARACTERS),
                error=_text(fields["error"], ERROR_MAX_CHARACTERS),
                reason=_text(fields["reason"], REASON_MAX_CHARACTERS),
                spans=fields["spans"],
                size_bytes=size,
                body=bodies[:size],
            )
        )
        bodies = bodies[size:]
    DeadLetter.objects.bulk_create(letters, ignore_conflicts=True, batch_size=100)
    return len(letters)


def found(
    *,
    ids: Sequence[int] = (),
    tenant: str = "",
    reason: str = "",
    since: datetime | None = None,
) -> QuerySet[DeadLetter]:
    """Return the letters that fit all that is given; `reason` is a part of the error's name or of the reason."""
    letters = DeadLetter.objects.listed()
    if ids:
        letters = letters.filter(pk__in=ids)
    if tenant:
        letters = letters.filter(tenant=tenant)
    if reason:
        letters = letters.filter(Q(error__icontains=reason) | Q(reason__icontains=reason))
    if since:
        letters = letters.filter(failed_at__gte=since)
    return letters


def decoded(letter: DeadLetter) -> str:
    """Return a letter's spans as protobuf text, or its bytes as lines of hex where they can't be decoded."""
    body = bytes(letter.body)
    if letter.spans:
        try:
            return text_format.MessageToString(ExportTraceServiceRequest.FromString(body), as_utf8=True)
        except DecodeError:
            pass
    return "\n".join(_hex_lines(body))


def _hex_lines(body: bytes) -> Iterator[str]:
    for at in range(0, len(body), HEX_BYTES_A_LINE):
        yield f"{at:08x}  {body[at : at + HEX_BYTES_A_LINE].hex(' ')}"


def _text(text: str, most: int) -> str:
    return text.replace("\0", "�")[:most]  # PostgreSQL's texts hold no NUL
