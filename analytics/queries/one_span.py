"""What did this span do? One span, whole, its self time and its cost, without reading its trace."""

import json
from dataclasses import dataclass
from typing import Any, Final

from analytics.queries.conditions import Conditions
from analytics.queries.spans import SpanKey, keys_of, spans_by_key
from analytics.queries.trace_rows import (
    GPU_COSTS,
    PLACE_COLUMNS,
    PLACE_ORDER,
    gpu_costs_of,
    places_of,
    read_trace,
)
from analytics.span_costs import span_costs
from analytics.tree import arrange

_ORDER: Final = ", ".join(PLACE_ORDER)
# What span_costs looks for in the GPUs of a span
_RESOURCES: Final = """
    arrayMap(uuid -> CAST(tuple(uuid), 'Tuple(resource_uuid String)'), gpus.resource_uuid) AS held_gpus"""


@dataclass(frozen=True)
class OneSpan:
    """A span: its JSON object as the API has it, but for self time; times in nanoseconds.

    `times_sent` counts the spans of this id in the trace, of which this is the first; `children` its own. `is_shared`
    tells that its cost was not sent but is its part of what its GPUs cost.
    """

    shown: dict[str, Any]
    trace_start_ns: int
    start_ns: int
    end_ns: int
    self_time_ns: int
    children: int
    times_sent: int
    is_shared: bool


def one_span(*, tenant: str, trace_id: str, span_id: str) -> OneSpan | None:
    """Return the first span of this id in the trace (ids in lower-case hex), None where there is none.

    Two queries, those of spans_by_key, and one more for the cost of a span that named GPUs and sent none.
    Raises TooManySpans, QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    rows = read_trace(
        f"{PLACE_COLUMNS}, toUnixTimestamp64Nano(held.1) AS trace_start_ns, cost_usd, {_RESOURCES}",
        tenant=tenant,
        trace_id=trace_id,
        parameters={"span_id": span_id},
        where="span_id = toFixedString(unhex({span_id:String}), 8)"
        " OR parent_span_id = toFixedString(unhex({span_id:String}), 8)",
        order=_ORDER,
    ).columns()
    places, keys = places_of(rows), keys_of(rows)
    same = [at for at, text in enumerate(places.span_ids) if text == b'"%b"' % span_id.encode()]
    if not same:
        return None
    at = same[0]
    tree = arrange(places)
    found = spans_by_key([keys[at]], tenant=tenant, matching=Conditions(), order=_ORDER)
    if not found:
        return None  # it was deleted between the queries
    (members, *_), *_ = found.values()
    shown: dict[str, Any] = json.loads((b"{" + members + b"}").decode(errors="replace"))
    cost_usd = None
    if rows["cost_usd"][at] == b"null" and rows["held_gpus"][at] != b"[]":
        cost_usd = _shared_cost(
            tenant, trace_id, keys[at], [gpu["resource_uuid"] for gpu in json.loads(rows["held_gpus"][at])]
        )
        shown |= {} if cost_usd is None else {"cost_usd": cost_usd}
    return OneSpan(
        shown=shown,
        trace_start_ns=int(rows["trace_start_ns"][at]),
        start_ns=places.start_ns[at],
        end_ns=places.end_ns[at],
        self_time_ns=tree.self_time_ns[at],
        children=tree.parents.count(at),
        times_sent=len(same),
        is_shared=cost_usd is not None,
    )


def _shared_cost(tenant: str, trace_id: str, key: SpanKey, resource_uuids: list[str]) -> float | None:
    """Return the span's part of what the trace pays for these GPUs; all spans count that held one of them."""
    rows = read_trace(
        f"{PLACE_COLUMNS}, cost_usd, {_RESOURCES}, {GPU_COSTS}",
        tenant=tenant,
        trace_id=trace_id,
        parameters={"resource_uuids": resource_uuids},
        where="hasAny(spans.gpus.resource_uuid, {resource_uuids:Array(String)})",
        order=_ORDER,
    ).columns()
    keys = keys_of(rows)
    costs = span_costs(rows["held_gpus"], rows["cost_usd"], places_of(rows), gpu_costs_of(rows["gpu_costs"]))
    return costs.get(keys.index(key)) if key in keys else None
