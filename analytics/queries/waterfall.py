"""How did the spans of this trace follow one another? What a waterfall shows of all of them, not their attributes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from analytics.queries.conditions import Conditions
from analytics.queries.spans import SpanKey, keys_of, spans_by_key
from analytics.queries.trace_rows import PLACE_COLUMNS, PLACE_ORDER, places_of, read_trace
from analytics.tree import Places, Tree, arrange

MOST_GPUS: Final = 64
"""Of how many of the trace's GPUs it is said what they are: those that were held first."""

# A snapshot of zeros means unknown, see docs/conventions.md.
_COLUMNS: Final = f"""
    {PLACE_COLUMNS}, name, service_name, status, model_name, ttft_ms, tokens_input, tokens_output,
    gpus.resource_uuid AS resources,
    arrayMap(
        (utilization, memory_used, temperature, power, clock) -> if(
            ifNull(utilization = 0 AND memory_used = 0 AND temperature = 0 AND power = 0 AND clock = 0, false)
                OR NOT isFinite(utilization),
            NULL,
            round(utilization, 1)),
        gpus.utilization, gpus.memory_used_gb, gpus.temperature_celsius, gpus.power_watts, gpus.clock_mhz
    ) AS utilizations
"""


@dataclass(frozen=True)
class Gpu:
    """A GPU of the trace: the positions of the spans that held it, and of each its utilisation if it is known.

    That is percent, to a tenth. `texts` are as the API has them of the first of these spans, empty where it is one of
    more than MOST_GPUS.
    """

    resource_uuid: str
    spans: list[int]
    utilizations: list[float | None]
    texts: dict[str, str | None]


@dataclass(frozen=True)
class Waterfall:
    """A trace's spans, column by column, in the order of time, and their tree. None and "" are what was not said."""

    places: Places
    tree: Tree
    names: list[str]
    services: list[str]
    statuses: list[str]
    models: list[str]
    ttft_ms: list[float | None]
    tokens_input: list[int | None]
    tokens_output: list[int | None]
    gpus: list[Gpu]


def waterfall(*, tenant: str, trace_id: str) -> Waterfall | None:
    """Return the waterfall of the trace of this id (lower-case hex), None where there is none.

    One query; where spans name GPUs another one, which reads one span of each GPU, and those of spans_by_key.
    Raises TooManySpans, QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    rows = read_trace(_COLUMNS, tenant=tenant, trace_id=trace_id, order=", ".join(PLACE_ORDER)).columns()
    if not rows["name"]:
        return None
    places = places_of(rows)
    gpus = _gpus(_values(rows["resources"]), _values(rows["utilizations"]))
    _say_what_they_are(gpus, keys_of(rows), tenant)
    return Waterfall(
        places=places,
        tree=arrange(places),
        names=_values(rows["name"]),
        services=_values(rows["service_name"]),
        statuses=_values(rows["status"]),
        models=_values(rows["model_name"]),
        ttft_ms=_numbers(rows["ttft_ms"]),
        tokens_input=_values(rows["tokens_input"]),
        tokens_output=_values(rows["tokens_output"]),
        gpus=gpus,
    )


def _gpus(resources: Sequence[list[str]], utilizations: Sequence[list[float | None]]) -> list[Gpu]:
    """Return the GPUs in the order in which they were held first. Of one that a span names twice the first counts."""
    found: dict[str, Gpu] = {}
    for at, held in enumerate(resources):
        for number, uuid in enumerate(held):
            if uuid and uuid not in held[:number]:
                gpu = found.setdefault(uuid, Gpu(uuid, [], [], {}))
                gpu.spans.append(at)
                gpu.utilizations.append(utilizations[at][number])
    return list(found.values())


def _say_what_they_are(gpus: Sequence[Gpu], keys: Sequence[SpanKey], tenant: str) -> None:
    first_of = {keys[gpu.spans[0]]: None for gpu in gpus[:MOST_GPUS]}
    if not first_of:
        return
    spans = spans_by_key(first_of, tenant=tenant, matching=Conditions(), order=", ".join(PLACE_ORDER))
    said: dict[str, dict[str, str | None]] = {}
    for members in spans.values():
        for one in members:
            for gpu in json.loads((b"{" + one + b"}").decode(errors="replace"))["gpus"]:
                said.setdefault(gpu["resource_uuid"], gpu)
    for gpu in gpus[:MOST_GPUS]:
        gpu.texts.update(said.get(gpu.resource_uuid, {}))


def _values(texts: Sequence[bytes]) -> list[Any]:
    """Return what the JSON texts of a column say."""
    values: list[Any] = json.loads((b"[" + b",".join(texts) + b"]").decode(errors="replace"))
    return values


def _numbers(texts: Sequence[bytes]) -> list[float | None]:
    """Return the numbers of a column of doubles, None for what is none."""
    return [value if isinstance(value, float | int) else None for value in _values(texts)]
