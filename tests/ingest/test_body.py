"""Bodies: each encoding decoded, each broken one told, never more than the bound in memory."""

import gzip
import zlib

import pytest
from backports import zstd

from ingest.receiver.body import BodyCorrupt, BodyTooLarge, EncodingUnknown, decompress

PLAIN = b"spans " * 1000
LIMIT_BYTES = 10_000


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


ENCODED = {
    "": PLAIN,
    "identity": PLAIN,
    "gzip": gzip.compress(PLAIN),
    "GZIP": gzip.compress(PLAIN[:3000]) + gzip.compress(PLAIN[3000:]),
    "deflate": zlib.compress(PLAIN),
    "zstd": zstd.compress(PLAIN[:3000]) + zstd.compress(PLAIN[3000:]),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_it_decodes(encoding: str) -> None:
    assert decompress(ENCODED[encoding], encoding=encoding, max_bytes=LIMIT_BYTES) == PLAIN


def test_it_decodes_a_deflate_stream_without_its_wrapper() -> None:
    assert decompress(raw_deflate(PLAIN), encoding="deflate", max_bytes=LIMIT_BYTES) == PLAIN


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_it_refuses_what_ends_too_early(encoding: str) -> None:
    with pytest.raises(BodyCorrupt):
        decompress(ENCODED[encoding][:-5], encoding=encoding, max_bytes=LIMIT_BYTES)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_it_refuses_what_is_not_compressed(encoding: str) -> None:
    with pytest.raises(BodyCorrupt):
        decompress(PLAIN, encoding=encoding, max_bytes=LIMIT_BYTES)


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(bytes(50_000_000))),
        ("deflate", zlib.compress(bytes(50_000_000))),
        ("zstd", zstd.compress(bytes(50_000_000))),
    ],
)
def test_it_refuses_what_grows_over_the_bound(encoding: str, bomb: bytes) -> None:
    with pytest.raises(BodyTooLarge):
        decompress(bomb, encoding=encoding, max_bytes=LIMIT_BYTES)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_it_takes_a_body_of_exactly_the_bound(encoding: str) -> None:
    assert decompress(ENCODED[encoding], encoding=encoding, max_bytes=len(PLAIN)) == PLAIN
    with pytest.raises(BodyTooLarge):
        decompress(ENCODED[encoding], encoding=encoding, max_bytes=len(PLAIN) - 1)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_an_empty_body_is_empty_in_every_encoding(encoding: str) -> None:
    assert decompress(b"", encoding=encoding, max_bytes=LIMIT_BYTES) == b""


def test_it_names_an_encoding_that_it_does_not_know() -> None:
    with pytest.raises(EncodingUnknown, match="'br'"):
        decompress(PLAIN, encoding="br", max_bytes=LIMIT_BYTES)
