"""Which attributes do spans have lately, and with which values? What a filter by attributes suggests."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from analytics.attributes import attribute_texts, json_text
from analytics.queries.filters import SpanFilter, range_conditions, span_conditions
from analytics.queries.resources import resource_texts
from analytics.span_detail import ATTRIBUTES_BEGIN, attribute_columns
from axonize.clickhouse.json_rows import query_json, value_of

MOST_KEYS: Final = 200
MOST_VALUES: Final = 50
MOST_CHARACTERS: Final = 200
"""Of a key and of a value: nobody types a longer one, and nobody chooses it from a list."""
# How far a look goes: the newest spans, and of these as many as fit, for some carry whole conversations.
_MOST_SPANS: Final = 2000
_MOST_BYTES: Final = 4 * 1024 * 1024

_TAIL: Final = "substring(detail, position(detail, {begin:String}))"


def attribute_keys(*, tenant: str, start_ns: int, end_ns: int, span: SpanFilter) -> list[str]:
    """Return keys of the newest spans in [start_ns, end_ns) that satisfy `span`, its attributes apart, by name.

    All that is returned, of values too, is found by attr.KEY=VALUE. A query, one more where spans came of resources
    that were not asked for lately. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    found = _newest(tenant=tenant, start_ns=start_ns, end_ns=end_ns, span=span)
    keys = Counter(key for attributes in found for key, value in attributes.items() if _is_short(key, _text(value)))
    return sorted(key for key, _ in keys.most_common(MOST_KEYS))


def attribute_values(*, tenant: str, start_ns: int, end_ns: int, span: SpanFilter, key: str) -> list[str]:
    """Return values that this attribute has there, the most frequent first, as attribute_keys() does."""
    found = _newest(tenant=tenant, start_ns=start_ns, end_ns=end_ns, span=span)
    texts = Counter(_text(attributes[key]) for attributes in found if key in attributes)
    return list(islice((text for text, _ in texts.most_common() if _is_short(text)), MOST_VALUES))


def _newest(*, tenant: str, start_ns: int, end_ns: int, span: SpanFilter) -> Iterator[dict[str, Any]]:
    """Yield the attributes of each span, and those of its resource."""
    matching = range_conditions(start_ns, end_ns)
    matching.extend(span_conditions(replace(span, attributes=()), tenant=tenant))
    rows = query_json(
        f"""
        SELECT resource_hex, tail
        FROM
        (
            SELECT
                resource_hex,
                tail,
                sum(length(tail)) OVER (ORDER BY start_time DESC ROWS UNBOUNDED PRECEDING) - length(tail) AS before
            FROM
            (
                SELECT start_time, hex(resource_id) AS resource_hex, {_TAIL} AS tail
                FROM spans
                WHERE {matching.where()}
                ORDER BY start_time DESC
                LIMIT {{most_spans:UInt64}}
            )
        )
        WHERE before < {{most_bytes:UInt64}}
        """,
        {
            **matching.parameters,
            "tenant": tenant,
            "begin": ATTRIBUTES_BEGIN,
            "most_spans": _MOST_SPANS,
            "most_bytes": _MOST_BYTES,
        },
    ).columns()
    if not rows["tail"]:
        return
    resources = resource_texts(tenant=tenant, resource_ids=rows["resource_hex"])
    for text in (*resources.values(), *attribute_texts(attribute_columns(rows["tail"]))):
        yield value_of(text)


def _text(value: Any) -> str:
    """Return the text that a value is looked for by."""
    return value if isinstance(value, str) else json_text(value)


def _is_short(*texts: str) -> bool:
    """Tell whether a form's field can hold these, which loses line breaks and what is no text."""
    return all(text.isprintable() and 0 < len(text) <= MOST_CHARACTERS for text in texts)
