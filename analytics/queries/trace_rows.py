"""The rows of one trace: any columns of all its spans, or of those that match, in one query."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from django.conf import settings

from analytics.attributes import json_text
from analytics.queries.prices import price_of
from analytics.times import nanoseconds_of
from analytics.trace_costs import trace_costs
from analytics.tree import Places
from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.errors import QueryTooLarge
from axonize.clickhouse.json_rows import JsonRows, query_json

MAX_SPANS: Final = 100_000
# An answer's rows before they become JSON, which takes a few times as much.
MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024

PLACE_COLUMNS: Final = """
    hex(trace_id) AS trace_hex, hex(span_id) AS span_hex, hex(parent_span_id) AS parent_hex, start_time, end_time
"""
# Spans of one id at one time, which happen where one is sent twice, are told apart by their names; their numbers stay.
PLACE_ORDER: Final = ("start_time", "trace_id", "span_id", "end_time", "name")

# What the trace's cost follows from, which is analytics.trace_costs: when it held which GPU, and the price of each.
GPU_TIME_AND_PRICES: Final = f"""
    (
        arrayMap(
            held -> (held.resource_uuid, held.minute, held.version, held.held_ns),
            groupUniqArrayArray(traces.gpu_time)) AS times,
        arrayMap(uuid -> (uuid, {price_of("uuid")}), arrayDistinct(times.1))
    )"""
GPU_COSTS: Final = "if(rowNumberInAllBlocks() = 0, held.3, ([], [])) AS gpu_costs"
# PREWHERE by hand, which spares the planning that ClickHouse's own choice costs.
_OF_TRACE: Final = f"""
WITH
    toFixedString(unhex({{trace_id:String}}), 16) AS id,
    (
        SELECT (min(start_time), max(end_time), {GPU_TIME_AND_PRICES})
        FROM traces
        WHERE tenant = {{tenant:String}} AND trace_id = id
    ) AS held
SELECT COLUMNS_ASKED_FOR
FROM spans
PREWHERE tenant = {{tenant:String}} AND trace_id = id AND start_time >= held.1 AND start_time <= held.2
"""


class TooManySpans(QueryTooLarge):
    """The trace has more than MAX_SPANS spans."""


def read_trace(
    columns: str,
    *,
    tenant: str,
    trace_id: str,
    parameters: Mapping[str, object] | None = None,
    where: str = "",
    order: str = "",
) -> JsonRows:
    """Read columns of the spans of a trace, of all or of those `where` it holds; `parameters` are what both bind.

    One query. Raises TooManySpans, QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    max_rows = min(MAX_SPANS, settings.QUERY_MAX_RESULT_ROWS)
    sql = _OF_TRACE.replace("COLUMNS_ASKED_FOR", columns)
    sql += f" WHERE {where}" if where else ""
    sql += f" ORDER BY {order}" if order else ""
    try:
        return query_json(
            sql,
            {**(parameters or {}), "tenant": tenant, "trace_id": trace_id},
            # for so few rows a second thread is more work than help
            settings={"max_result_rows": max_rows, "max_result_bytes": MAX_ANSWER_BYTES, "max_threads": 1},
        )
    except QueryTooLarge as error:
        if _span_count(tenant, trace_id) > MAX_SPANS:
            raise TooManySpans(str(error)) from error
        raise


def places_of(columns: Mapping[str, Sequence[bytes]]) -> Places:
    """Return where the spans stand whose rows of PLACE_COLUMNS these are."""
    return Places(
        span_ids=[text.lower() for text in columns["span_hex"]],
        parent_ids=[text.lower() for text in columns["parent_hex"]],
        start_ns=nanoseconds_of(columns["start_time"]),
        end_ns=nanoseconds_of(columns["end_time"]),
    )


def gpu_costs_of(texts: Sequence[bytes]) -> dict[bytes, float]:
    """Return what the trace pays for each resource, whose uuids are JSON texts, as the first row of GPU_COSTS says."""
    if not texts:
        return {}
    gpu_time, prices = json.loads(texts[0])
    costs = trace_costs(map(tuple, gpu_time), dict(prices))
    return {json_text(uuid).encode(): cost for uuid, cost in costs.items()}


def _span_count(tenant: str, trace_id: str) -> int:
    (row,) = clickhouse.query(
        """
        SELECT sum(span_count) AS spans
        FROM traces
        WHERE tenant = {tenant:String} AND trace_id = toFixedString(unhex({trace_id:String}), 16)
        """,
        {"tenant": tenant, "trace_id": trace_id},
    )
    spans: int = row["spans"]
    return spans
