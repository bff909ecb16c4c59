"""`spans.detail`, the text of all that only the page of a span shows, taken apart into what the page is made of."""

from collections.abc import Iterable
from typing import Final

from axonize.clickhouse.json_rows import bytes_of, value_of

# What schema/0076 puts between two parts. None of these can be within one: in JSON a quote within a text is escaped,
# and only attributes have keys that somebody sent, which no bracket follows.
_BETWEEN: Final = (
    b',"scope":{',
    b'},"gpus":[',
    b'],"events":[',
    b'],"links":[',
    b'],"attributes_string":{',
    b'},"attributes_int":{',
    b'},"attributes_bool":{',
    b'},"attributes_double":{',
    b'},"attributes_encoded":{',
)
_NAMES: Final = ("members", *(between.split(b'"')[1].decode() for between in _BETWEEN))
_OF_ATTRIBUTES: Final = tuple(between for between in _BETWEEN if b"attributes_" in between)
ATTRIBUTES_BEGIN: Final = _OF_ATTRIBUTES[0].decode()
"""From the first place where this stands in a detail on it tells the span's attributes."""
_BRACKETS: Final = ((b",", b""), *((b"{", b"}") if between.endswith(b"{") else (b"[", b"]") for between in _BETWEEN))


def detail_columns(texts: Iterable[bytes]) -> dict[str, list[bytes]]:
    """Return the parts of each detail, column by column; `texts` are as axonize.clickhouse.json_rows has them.

    `members` are members of the span's JSON object that are as the API shows them, each after a comma. The others are
    JSON texts: `scope`, `gpus`, `events`, `links`, and attributes as ATTRIBUTE_COLUMNS has them.
    """
    rows = [_parts(bytes_of(value_of(text))[1:], _BETWEEN) for text in texts]
    if not rows:
        return {name: [] for name in _NAMES}
    return {
        name: [before + part + after for part in parts]
        for name, (before, after), parts in zip(_NAMES, _BRACKETS, zip(*rows, strict=True), strict=True)
    }


def attribute_columns(texts: Iterable[bytes]) -> dict[str, list[bytes]]:
    """Return the same of attributes alone, of details that are cut off before ATTRIBUTES_BEGIN."""
    rows = [_parts(bytes_of(value_of(text)), _OF_ATTRIBUTES)[1:] for text in texts]
    columns = zip(*rows, strict=True) if rows else [()] * len(_OF_ATTRIBUTES)
    names = _NAMES[-len(_OF_ATTRIBUTES) :]
    return {name: [b"{" + part + b"}" for part in parts] for name, parts in zip(names, columns, strict=True)}


def _parts(detail: bytes, between: Iterable[bytes]) -> list[bytes]:
    """Return what stands before, between and after those; `detail` has its end, of the object and its last member."""
    parts = []
    rest = detail[:-2]
    for each in between:
        part, _, rest = rest.partition(each)
        parts.append(part)
    parts.append(rest)
    return parts
