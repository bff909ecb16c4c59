"""What was sent of this trace? All that is stored of each span and of its resource, in the types that it had."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from analytics.queries.resources import resource_columns
from analytics.queries.spans import SPANS_AT_ONCE
from analytics.queries.trace_rows import read_trace
from analytics.span_detail import detail_columns
from axonize.clickhouse.json_rows import JsonRows

# Spans of one resource one after the other, for OTLP says it once.
_ORDER: Final = "resource_hex, start_time, span_hex, end_time, name"
_COLUMNS: Final = """
    hex(resource_id) AS resource_hex, lower(hex(trace_id)) AS trace_hex, lower(hex(span_id)) AS span_hex,
    lower(hex(parent_span_id)) AS parent_hex, name, status, detail,
    toUnixTimestamp64Nano(start_time) AS start_ns, toUnixTimestamp64Nano(end_time) AS end_ns
"""

Row = dict[str, bytes]
"""A span's columns, and the parts of its detail, or a resource's attributes by type: JSON texts by name."""


@dataclass(frozen=True)
class SentTrace:
    """A trace as it was sent, as far as that is stored: the rows of its spans, and its resources by their id."""

    rows: JsonRows
    resources: dict[bytes, Row]

    def spans(self) -> Iterator[Row]:
        """Yield each span's row; only some of them are in memory value by value."""
        for begin in range(0, len(self.rows), SPANS_AT_ONCE):
            columns = self.rows.columns(begin, begin + SPANS_AT_ONCE)
            columns |= detail_columns(columns.pop("detail"))
            for values in zip(*columns.values(), strict=True):
                yield dict(zip(columns, values, strict=True))


def sent_trace(*, tenant: str, trace_id: str) -> SentTrace | None:
    """Return what was sent of the trace of this id (lower-case hex), None where there is none.

    One query, and one for each thousand resources. Raises TooManySpans, QueryTooLarge, ClickHouseUnavailable,
    ClickHouseError.
    """
    rows = read_trace(_COLUMNS, tenant=tenant, trace_id=trace_id, order=_ORDER)
    if not len(rows):
        return None
    return SentTrace(rows, resource_columns(tenant=tenant, resource_ids=rows.column("resource_hex")))
