"""Any bytes under any Content-Encoding, and any JSON: decoded, or refused in a sentence that can be sent back."""

import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from backports import zstd
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.intake import MalformedRequest
from ingest.otlp_json import to_protobuf
from ingest.receiver.body import MAX_MEMBERS, BodyCorrupt, BodyTooLarge, EncodingUnknown, decompress
from tests.fuzz.mutations import Mutator
from tests.fuzz.plugin import Tally
from tests.fuzz.seeds import seeds
from tests.otlp import otlp_json

BODIES = 2000
DOCUMENTS = 2000
MAX_BYTES = 100_000
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
# What may stand anywhere in a JSON document; in single quotes, for JSON has double ones.
# ruff: noqa: Q000
ODD_JSON = (
    *('null', 'true', 'false', '0', '-0', '1e400', '-1e400', '1.5', '"1.5"', 'NaN', 'Infinity', '-Infinity', '"NaN"'),
    *('9' * 400, '9' * 5000, '"' + '9' * 400 + '"', '1e999999999', '2147483648', '-1', '"-1"', '18446744073709551616'),
    *('""', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"é"', '"ab"', '"zz"', '" 01"', '"' + 'a' * 32 + '"', '"=="'),
    *('[]', '{}', '[[]]', '[{}]', '[null]', '{"":null}', '{"\\ud800":1}', '{"stringValue":"a","intValue":"1"}'),
    *('{"arrayValue":{}}', '{"arrayValue":{"values":[null]}}', '{"kvlistValue":null}', '{"bytesValue":"!"}'),
    *('[' * 60 + ']' * 60, '[' * 2000 + ']' * 2000, '{"@type":"x"}', '{"intValue":1e3}', '{"doubleValue":"1_0"}'),
)  # fmt: skip


def message_in_an_answer(error: Exception) -> bytes:
    """Return the refusal as it goes back to the client; a text that no answer can hold raises."""
    answer: bytes = Status(code=3, message=str(error)).SerializeToString()
    return answer


def test_mutated_bodies_are_decompressed_or_refused(tally: Tally) -> None:
    plain = seeds()
    mutators = {
        encoding: Mutator([compress(body) for body in plain], tally.dice) for encoding, compress in COMPRESSIONS.items()
    }
    for number in range(BODIES * tally.times):
        encoding = list(COMPRESSIONS)[number % len(COMPRESSIONS)]
        body = mutators[encoding].torn()
        try:
            assert len(decompress(body, encoding=encoding, max_bytes=MAX_BYTES)) <= MAX_BYTES
            tally.count("accepted")
        except (BodyCorrupt, BodyTooLarge) as error:
            message_in_an_answer(error)
            tally.count("rejected")
        except Exception as error:  # noqa: BLE001  that is what is looked for
            tally.crash(f"{error!r}\n{encoding}: {body.hex()}")
    tally.settle()


@pytest.mark.parametrize("encoding", ["\0", "gzip, gzip", "br", "é", "x" * 5000, "%s", "gzip;q=1"])
def test_an_encoding_that_nobody_knows_is_named(encoding: str) -> None:
    with pytest.raises(EncodingUnknown) as refusal:
        decompress(b"", encoding=encoding, max_bytes=1)
    message_in_an_answer(refusal.value)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_may_have_many_members_but_not_any_number(encoding: str) -> None:
    member = COMPRESSIONS[encoding](b"x")
    assert decompress(member * MAX_MEMBERS, encoding=encoding, max_bytes=MAX_BYTES) == b"x" * MAX_MEMBERS
    empty = COMPRESSIONS[encoding](b"")
    with pytest.raises(BodyCorrupt, match="members"):
        decompress(empty * (16 * 1024 * 1024 // len(empty)), encoding=encoding, max_bytes=MAX_BYTES)


def mutated_json(dice: random.Random, document: Any) -> str:
    """Return the text of a JSON document with something odd in the place of one value, or torn."""
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        node = waiting.pop()
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in children:
            places.append((node, key))
            waiting.append(value)
    node, key = dice.choice(places)
    kept = node[key]
    node[key] = "@odd@"
    text = json.dumps(document)
    node[key] = kept
    odd = dice.choice((*ODD_JSON, json.dumps(dice.choice(places)[0])))
    text = text.replace('"@odd@"', odd)
    if dice.random() < 0.3:
        at = dice.randrange(len(text))
        text = text[:at] + dice.choice(("", *ODD_JSON, ",", "}", '"')) + text[at + dice.randrange(4) :]
    return text


def test_mutated_json_is_understood_or_refused(tally: Tally) -> None:
    dice = tally.dice
    documents = [json.loads(otlp_json(ExportTraceServiceRequest.FromString(body))) for body in seeds()]
    for _ in range(DOCUMENTS * tally.times):
        body = mutated_json(dice, dice.choice(documents)).encode("utf-8", "surrogatepass")
        try:
            ExportTraceServiceRequest.FromString(to_protobuf(body))
            tally.count("accepted")
        except MalformedRequest as error:
            try:
                message_in_an_answer(error)
                tally.count("malformed")
            except Exception as told:  # noqa: BLE001  as below
                tally.crash(f"The refusal can't be sent: {told!r}\n{body!r}")
        except Exception as error:  # noqa: BLE001  that is what is looked for
            tally.crash(f"{error!r}\n{body!r}")
    tally.settle()
