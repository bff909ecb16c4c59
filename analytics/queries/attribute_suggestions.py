"""Which attributes do spans have lately, and with which values? What a filter by attributes suggests."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from analytics.attributes import attribute_texts, json_text
from analytics.queries.filters import TimedFilter, range_conditions, span_conditions, trace_conditions
from analytics.queries.resources import resource_texts
from analytics.span_detail import ATTRIBUTES_BEGIN, attribute_columns
from axonize.clickhouse.json_rows import query_json, value_of

MOST_KEYS: Final = 200
MOST_VALUES: Final = 50
MOST_CHARACTERS: Final = 200
"""Of a key and of a value: nobody types a longer one, and nobody chooses it from a list."""
# How far a look goes, however much there is: the newest spans within a day of the newest trace, of each kind a few, so
# that the many leave room for the others; and of these as many as fit, for some carry whole conversations.
_BOUNDS: Final = {"newest_spans": 10_000, "spans_of_a_kind": 20, "most_spans": 1_000, "most_bytes": 4 * 1024 * 1024}


def attribute_keys(*, tenant: str, wanted: TimedFilter) -> list[str]:
    """Return keys that spans of the newest traces have which match, but for their attributes; by name.

    All that is returned, of values too, is found by attr.KEY=VALUE. A query, one more where spans came of resources
    that were not asked for lately. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    found = _newest(tenant=tenant, wanted=wanted)
    keys = Counter(key for attributes in found for key, value in attributes.items() if _is_short(key, _text(value)))
    return sorted(key for key, _ in keys.most_common(MOST_KEYS))


def attribute_values(*, tenant: str, wanted: TimedFilter, key: str) -> list[str]:
    """Return values that this attribute has there, the most frequent first, as attribute_keys() does."""
    found = _newest(tenant=tenant, wanted=wanted)
    texts = Counter(_text(attributes[key]) for attributes in found if key in attributes)
    return list(islice((text for text, _ in texts.most_common() if _is_short(text)), MOST_VALUES))


def _newest(*, tenant: str, wanted: TimedFilter) -> Iterator[dict[str, Any]]:
    """Yield the attributes of each span, and of each resource that sent any."""
    anyhow = replace(wanted.span, attributes=())
    traces = trace_conditions(replace(wanted, span=anyhow), tenant=tenant)
    spans = range_conditions(wanted.start_ns, wanted.end_ns)
    spans.extend(span_conditions(anyhow, tenant=tenant))
    spans.add("start_time >= newest - INTERVAL 1 DAY AND start_time < newest + INTERVAL 1 DAY")
    rows = query_json(
        f"""
        WITH
            (SELECT max(start_time) FROM trace_summaries WHERE {traces.where()}) AS newest,
            some_of_each AS
            (
                SELECT start_time
                FROM
                (
                    SELECT start_time, service_name, name
                    FROM spans
                    WHERE {spans.where()}
                    ORDER BY start_time DESC
                    LIMIT {{newest_spans:UInt64}}
                )
                LIMIT {{spans_of_a_kind:UInt64}} BY service_name, name
                LIMIT {{most_spans:UInt64}}
            )
        SELECT resource_hex, text
        FROM
        (
            SELECT
                hex(resource_id) AS resource_hex,
                substring(detail, position(detail, {{begin:String}})) AS text,
                sum(length(text)) OVER (ORDER BY start_time DESC ROWS UNBOUNDED PRECEDING) - length(text) AS before
            FROM spans
            PREWHERE tenant = {{tenant:String}} AND start_time IN (SELECT start_time FROM some_of_each)
        )
        WHERE before < {{most_bytes:UInt64}}
        """,
        {**_BOUNDS, **traces.parameters, **spans.parameters, "tenant": tenant, "begin": ATTRIBUTES_BEGIN},
    ).columns()
    if not rows:
        return
    resources = resource_texts(tenant=tenant, resource_ids=rows["resource_hex"])
    for text in (*resources.values(), *attribute_texts(attribute_columns(rows["text"]))):
        yield value_of(text)


def _text(value: Any) -> str:
    """Return the text that a value is looked for by."""
    return value if isinstance(value, str) else json_text(value)


def _is_short(*texts: str) -> bool:
    """Tell whether a form's field can hold these, which loses line breaks and what is no text."""
    return all(text.isprintable() and 0 < len(text) <= MOST_CHARACTERS for text in texts)
