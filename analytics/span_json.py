"""Spans as the JSON that the API shows, put together column by column of the JSON texts that ClickHouse writes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from analytics.attributes import EMPTY, attribute_texts, decode_key_values, json_text
from analytics.gpu_json import Words, gpu_texts
from analytics.span_rows import CANONICAL, CANONICAL_COLUMNS
from analytics.times import format_time, milliseconds
from analytics.tree import NO_PARENT, Places
from axonize.clickhouse.json_rows import bytes_of, value_of

Columns = Mapping[str, Sequence[bytes]]

_ALL: Final[frozenset[bytes]] = frozenset()
_EMPTY_TEXT: Final = frozenset({b'""'})
_UNSET: Final = {
    str: _EMPTY_TEXT,
    int: frozenset({b"null"}),
    # what is no number was not stored at all times
    float: frozenset({b"null", b'"nan"', b'"inf"', b'"-inf"'}),
}
_NOTHING: Final = b"[]"


def span_members(
    columns: Columns, places: Places, *, resources: Mapping[bytes, bytes], ask_registry: Callable[[set[str]], Words]
) -> list[bytes]:
    """Return the members of each span's JSON object: all that SpanSerializer documents, but for self_time_ms.

    `columns` are WHOLE_COLUMNS, and the parts of their details, `places` where these spans stand; `resources`
    has the JSON object of each resource's attributes by its id.
    """
    durations = zip(places.start_ns, places.end_ns, strict=True)
    members = [
        [b'"span_id":' + text for text in places.span_ids],
        _members("parent_span_id", places.parent_ids, frozenset({NO_PARENT})),
        _members("name", columns["name"]),
        _members("start_time", columns["start_time"]),
        _members("end_time", columns["end_time"]),
        _members("duration_ms", [repr(milliseconds(end - start)).encode() for start, end in durations]),
        _members("status", columns["status"]),
        *(_members(name, columns[name], _UNSET[CANONICAL[name]]) for name in CANONICAL_COLUMNS),
        columns["members"],
        # Before all that has keys which somebody sent: analytics.queries.holders finds it by that.
        _members("gpus", gpu_texts(columns["gpus"], columns["set_texts"], ask_registry)),
        _members("attributes", attribute_texts(columns)),
        _members("events", _nested(columns["events"], _event)),
        _members("links", _nested(columns["links"], _link)),
        _members("resource", [resources.get(one, EMPTY) for one in columns["resource_hex"]]),
        _members("scope", _scopes(columns["scope"])),
    ]
    return list(map(b"".join, zip(*filter(None, members), strict=True)))


def with_self_time(members: bytes, self_time_ns: int | None) -> bytes:
    """Return the members with self_time_ms, null where it is not known."""
    self_time = b"null" if self_time_ns is None else repr(milliseconds(self_time_ns)).encode()
    return members + b',"self_time_ms":' + self_time


def with_cost(members: bytes, cost_usd: float) -> bytes:
    """Return the members of a span that sent no cost with what its GPUs cost."""
    return members + b',"cost_usd":' + repr(cost_usd).encode()


def flat_span(members: bytes, *, self_time_ns: int | None, depth: int | None) -> bytes:
    """Return a span's JSON object as a flat page shows it."""
    depth_text = b"null" if depth is None else b"%d" % depth
    return b"{" + with_self_time(members, self_time_ns) + b',"depth":' + depth_text + b"}"


def _members(name: str, texts: Sequence[bytes], unset: frozenset[bytes] = _ALL) -> list[bytes]:
    """Return `,"name":text` for each text, nothing for one that is unset; an empty list where all are."""
    if unset.issuperset(texts):
        return []
    label = b',"%b":' % name.encode()
    return [b"" if text in unset else label + text for text in texts] if unset else [label + text for text in texts]


def _nested(arrays: Sequence[bytes], shown: Callable[..., dict[str, Any]]) -> Sequence[bytes]:
    """Return the JSON array of each row's events or links; `shown` makes one of them of its fields."""
    if arrays.count(_NOTHING) == len(arrays):
        return arrays
    return [
        array if array == _NOTHING else json_text([shown(**fields) for fields in value_of(array)]).encode()
        for array in arrays
    ]


def _event(
    *, time_unix_nano: int, name: str, attributes: Sequence[str], dropped_attributes_count: int
) -> dict[str, Any]:
    event: dict[str, Any] = {"time": format_time(time_unix_nano), "name": name, "attributes": _key_values(attributes)}
    return event | ({"dropped_attributes_count": dropped_attributes_count} if dropped_attributes_count else {})


def _link(*, trace_id: str, span_id: str, attributes: Sequence[str], **extras: str | int) -> dict[str, Any]:
    return {
        "trace_id": bytes_of(trace_id).hex(),
        "span_id": bytes_of(span_id).hex(),
        "attributes": _key_values(attributes),
        **{name: value for name, value in extras.items() if value},
    }


def _scopes(texts: Sequence[bytes]) -> list[bytes]:
    shown = {text: _scope(**value_of(text)) for text in set(texts)}
    return [shown[text] for text in texts]


def _scope(*, name: str, version: str, attributes: Sequence[str]) -> bytes:
    scope: dict[str, Any] = {"name": name, "version": version}
    if attributes:
        scope["attributes"] = _key_values(attributes)
    return json_text(scope).encode("utf-8", "surrogateescape")


def _key_values(messages: Sequence[str]) -> dict[str, Any]:
    return decode_key_values(bytes_of(message) for message in messages)
