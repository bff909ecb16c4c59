"""Draws data sets: traces of every shape that comes, at times where something is decided, in batches of any order."""

import random
from dataclasses import replace
from typing import Any

from tests.oracle.fleet import Unit, draw_fleet, draw_gpu
from tests.oracle.measures import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from tests.oracle.records import Dataset, Gpu, Span

MILLISECOND_NS = 10**6
PREFERRED = (1000, 1250, 1600, 2000, 2500, 3150, 4000, 5000, 6300, 8000)
SIZES = (1, 6, 15, 25, 25, 40)
MOST_BATCHES = 4
SHAPES = ("one root", "one root", "several roots", "no root", "orphans", "circles", "anything")
SENDERS: tuple[dict[str, Any], ...] = (
    {"service.name": "gateway", "deployment.environment.name": "prod", "zone": "a"},
    {"service.name": "gateway", "deployment.environment": "lab"},
    {"service.name": "engine", "deployment.environment": "prod", "zone": "b"},
    {"service.name": "engine"},
    {"zone": "a", "n": 1},
)
NAMES = ("chat", "generate", "prefill", "embed")
MODELS = ("llama-70b", "draft-1b", "bge")
ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "http.route": ("/v1/chat", "/v1/embed"),
    "n": (1, 1.0, 1.5, -7, 0, -0.0, "1", "true", True, 2**53),
    "flag": (True, False),
    "stop": (["a", "b"], ["a"], []),
    "meta": ({"a": 1}, {"a": [1, 2.5]}, None),
}


def draw_dataset(dice: random.Random, anchor_ns: int) -> Dataset:
    """Return a data set around a midnight; both tenants have spans of some trace ids."""
    centers = [draw_center(dice, anchor_ns) for _ in range(dice.randrange(1, 6))]
    trace_ids = [dice.randbytes(16).hex() for _ in range(dice.choice(SIZES))]
    fleets = [draw_fleet(dice, tenant) for tenant in (0, 1)]
    spans: list[Span] = []
    for trace_id in trace_ids:
        for tenant in dice.choice(((0,), (0,), (0,), (1,), (0, 1))):
            spans += draw_trace(dice, tenant, trace_id, centers, fleets[tenant][0], elsewhere=spans[-5:])
    spans += [replace(again) for again in spans if dice.random() < 0.04]
    batches: list[list[Span]] = [[] for _ in range(dice.randrange(1, MOST_BATCHES + 1))]
    for span in dice.sample(spans, len(spans)):
        dice.choice(batches).append(span)
    return Dataset(
        anchor_ns,
        tuple(tuple(batch) for batch in batches if batch),
        tuple(card for _, cards, _ in fleets for card in cards),
        tuple(resource for _, _, resources in fleets for resource in resources),
    )


def draw_center(dice: random.Random, anchor_ns: int) -> int:
    """Return a time around which traces begin: midnight, a whole hour, minute or second, or any."""
    grain = dice.choice((DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, 1))
    anywhere = anchor_ns + dice.randrange(-16 * HOUR_NS, 4 * HOUR_NS)
    return anchor_ns if grain == DAY_NS else anywhere - anywhere % grain


def draw_duration(dice: random.Random) -> int:
    preferred = dice.choice(PREFERRED) * 10 ** dice.randrange(7)
    return dice.choice(
        (
            0,
            preferred,
            preferred + dice.choice((-1, 1)),
            dice.randrange(200) * MILLISECOND_NS,
            int(dice.lognormvariate(18, 2)) % (10 * MINUTE_NS),
            dice.choice((0, 1, SECOND_NS, MINUTE_NS, dice.randrange(3 * HOUR_NS))),
        )
    )


def draw_trace(
    dice: random.Random, tenant: int, trace_id: str, centers: list[int], units: list[Unit], elsewhere: list[Span]
) -> list[Span]:
    shape = dice.choice(SHAPES)
    begin_ns = dice.choice(centers) + dice.choice((0, 0, 1, -1, dice.randrange(2 * MINUTE_NS), dice.randrange(HOUR_NS)))
    found: list[Span] = []
    for _ in range(dice.choice((1, 1, 2, 3, 4, 6, 9))):
        parent = dice.choice(found) if found else None
        around_ns = parent.start_ns if parent else begin_ns
        late_ns = dice.choice((0, 1, dice.randrange(100) * MILLISECOND_NS, dice.randrange(5 * SECOND_NS)))
        if dice.random() < 0.1:
            late_ns = -late_ns  # clocks disagree
        elif dice.random() < 0.03:
            late_ns = dice.randrange(9 * HOUR_NS)
        span_id = dice.randbytes(8).hex()
        if dice.random() < 0.06:  # an id that another span has too, here or elsewhere
            span_id = dice.choice([*found, *elsewhere]).span_id if found or elsewhere else span_id
        start_ns = around_ns + late_ns
        while any((span.span_id, span.start_ns) == (span_id, start_ns) for span in found):
            start_ns += 1
        found.append(
            Span(
                tenant=tenant,
                trace_id=trace_id,
                span_id=span_id,
                parent_span_id=_parent(dice, shape, parent, span_id, found, elsewhere),
                name=dice.choice(NAMES),
                start_ns=start_ns,
                end_ns=start_ns + draw_duration(dice),
                kind=dice.choice(("unspecified", "internal", "server", "client", "producer", "consumer")),
                status=dice.choice(("unset", "unset", "ok", "ok", "error")),
                message=dice.choice(("", "", "", "out of memory")),
                resource=dice.choice(SENDERS),
                attributes=draw_attributes(dice),
                gpus=draw_gpus(dice, units),
            )
        )
    if shape in ("circles", "anything") and len(found) > 1:
        first, other = dice.sample(range(len(found)), 2)
        found[first] = replace(found[first], parent_span_id=found[other].span_id)
    return found


def _parent(
    dice: random.Random, shape: str, parent: Span | None, own_id: str, found: list[Span], elsewhere: list[Span]
) -> str:
    """Return the parent's id; an absent one may be the id of a span of another trace."""
    absent = dice.choice([span.span_id for span in elsewhere] or ["".join(dice.choices("123456789", k=16))])
    here = parent.span_id if parent else ""
    match shape:
        case "several roots":
            return dice.choice(("", here))
        case "no root":
            return here or absent
        case "orphans":
            return dice.choice((here, here, absent))
        case "anything":
            return dice.choice(("", here, absent, own_id, dice.choice(found).span_id if found else ""))
    return here


def draw_attributes(dice: random.Random) -> dict[str, Any]:
    sent = {key: dice.choice(values) for key, values in ATTRIBUTES.items() if dice.random() < 0.3}
    if dice.random() < 0.5:
        sent[dice.choice(("gen_ai.request.model", "gen_ai.response.model"))] = dice.choice(MODELS)
    if dice.random() < 0.4:
        sent["gen_ai.usage.input_tokens"] = dice.choice((0, 1, 900, dice.randrange(10**6), "12", "many"))
    if dice.random() < 0.4:
        sent["gen_ai.usage.output_tokens"] = dice.choice((0, 1, 40, dice.randrange(10**4), "12"))
    if dice.random() < 0.4:
        ms = dice.choice(PREFERRED) * 10.0 ** dice.randrange(-6, 2)
        sent |= dice.choice(
            (
                {"ai.llm.ttft_ms": dice.choice((ms, 0.0, 12.5))},
                {"gen_ai.latency.time_to_first_token": dice.choice((ms / 1000, round(ms * 1e6)))},
            )
        )
    if dice.random() < 0.3:
        sent["gen_ai.latency.time_in_queue"] = dice.choice((0.0, 0.25, 0.0315, dice.randrange(10**9)))
    if dice.random() < 0.1:
        sent["ai.llm.tokens_per_second"] = round(dice.uniform(0, 200), 3)
    if dice.random() < 0.3:
        sent["cost.usd"] = dice.choice((0.0, 0.1, 0.2, 0.000001, dice.randrange(10**6) / 10**6))
    return dict(dice.sample(sorted(sent.items()), len(sent)))


def draw_gpus(dice: random.Random, units: list[Unit]) -> tuple[Gpu, ...]:
    count = dice.choice((0, 0, 0, 1, 1, 1, 2, 3, dice.randrange(9)))
    chosen = dice.choices(units, k=count) if dice.random() < 0.1 else dice.sample(units, min(count, len(units)))
    numbers = sorted(dice.sample(range(count + 2), len(chosen)))  # a number may be left out
    return tuple(draw_gpu(dice, unit, number) for unit, number in zip(chosen, numbers, strict=True))
