"""Draws questions about a data set: of values that occur in it and some that don't, at times where it is decided."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any

from tests.oracle.matching import Filters, gpu_values
from tests.oracle.measures import DAY_NS, EPOCH, HOUR_NS, MINUTE_NS, SECOND_NS
from tests.oracle.model import Model
from tests.oracle.records import Span
from tests.oracle.traces import TraceFilters

Parameters = dict[str, Any]
SPAN_FILTERS = ("service_name", "environment", "model_name", "resource_uuid", "physical_uuid", "node_id")


@dataclass(frozen=True)
class Question:
    """A path with its parameters, and what a model says to it.

    `answer` gets the model and the time at which the question was asked (nanoseconds), and returns the answer's JSON,
    the name of the parameter that is refused, or None for a 404. With `pages`, it returns the answers of all pages that
    are found by following `next`.
    """

    path: str
    parameters: Parameters
    answer: Callable[[Model, int], Any]
    pages: bool = False


class Drawer:
    """Draws the parts of questions about one tenant's spans."""

    def __init__(self, dice: random.Random, model: Model) -> None:
        self.dice = dice
        self.model = model
        edges = {at for span in model.spans for at in (span.start_ns, span.end_ns)}
        self.edges = sorted(edges | {trace.end_ns for trace in model.traces}) or [model.dataset.anchor_ns]
        self.durations = [
            0,
            *(trace.duration_ns for trace in model.traces),
            *(span.duration_ns for span in model.spans),
        ]

    def maybe(self, chance: float) -> bool:
        return self.dice.random() < chance

    def moment(self) -> int:
        """Return a time on a span's edge, beside it, on an edge of buckets, or anywhere."""
        edge = self.dice.choice(self.edges)
        grain = self.dice.choice((SECOND_NS, MINUTE_NS, HOUR_NS, DAY_NS))
        return self.dice.choice(
            (edge, edge + 1, edge - 1, edge - edge % grain, edge + self.dice.randrange(-2 * HOUR_NS, 2 * HOUR_NS))
        )

    def range(self, parameters: Parameters, *, longest_ns: int | None = None) -> tuple[int, int]:
        """Add a start and an end; return them."""
        start_ns, end_ns = sorted((self.moment(), self.moment()))
        if self.maybe(0.6):
            start_ns, end_ns = start_ns - self.dice.randrange(DAY_NS), end_ns + self.dice.randrange(DAY_NS)
        if longest_ns is not None:
            end_ns = min(end_ns, start_ns + longest_ns)
        parameters |= {"start": self.time(start_ns), "end": self.time(end_ns)}
        return start_ns, end_ns

    def time(self, ns: int) -> str:
        """Return the text of a time at some offset, without the zeros that it may do without."""
        seconds, rest = divmod(ns, SECOND_NS)
        minutes = self.dice.choice((0, 0, 330, -480, 345, 14 * 60))
        offset = timezone(timedelta(minutes=minutes))
        text = (EPOCH + timedelta(seconds=seconds)).astimezone(offset).isoformat()
        moment, zone = text[:19], text[19:]
        fraction = f".{rest:09d}".rstrip("0") if rest else self.dice.choice(("", ".0", ".000000000"))
        return moment + fraction + (self.dice.choice(("Z", "z", zone)) if minutes == 0 else zone)

    def filters(self, parameters: Parameters, names: Sequence[str], *, has_attributes: bool = False) -> Filters:
        """Add none to three filters, mostly such as one span satisfies; return them."""
        if not self.model.spans:
            return Filters()
        chosen = self.dice.sample(names, self.dice.choice((0, 0, 0, 1, 1, 1, 2, 3)))
        one = self.dice.choice([span for span in self.model.spans if span.gpus] or self.model.spans)
        found: dict[str, Any] = {}
        for name in chosen:
            span = one if self.maybe(0.9) else self.dice.choice(self.model.spans)
            value = self.value(span, name)
            if value and not self.maybe(0.05):
                found[name] = value
            elif self.maybe(0.3):
                found[name] = "nobody"
        attributes: list[tuple[str, str]] = []
        while has_attributes and self.maybe(0.15):
            sent = {**one.resource, **one.attributes, "absent": ""}
            key = self.dice.choice(sorted(sent))
            attributes.append((key, self.attribute_text(sent[key])))
        parameters |= found
        for key, text in attributes:
            parameters.setdefault(f"attr.{key}", []).append(text)
        return Filters(**found, attributes=tuple(attributes))

    def value(self, span: Span, name: str) -> str:
        if name in ("resource_uuid", "physical_uuid", "node_id"):
            return self.dice.choice(sorted(gpu_values(span, name, self.model.registry)) or [""])
        return str(getattr(span, name))

    def attribute_text(self, value: Any) -> str:
        if isinstance(value, str):
            return self.dice.choice((value, value, f"{value} "))
        if isinstance(value, bool):
            return self.dice.choice(("true", "false", "1"))
        if isinstance(value, list | dict | None):
            return self.dice.choice((json.dumps(value), json.dumps(value, indent=1), "[]", '["a"]', "null"))
        return self.dice.choice((str(value), str(value), f"{value:.2f}", str(value + 1)))

    def trace_filters(self, parameters: Parameters, names: Sequence[str]) -> TraceFilters:
        """Add what `/traces` and `/spans` are asked for, of each some."""
        found: dict[str, Any] = {}
        start_ns, end_ns = sorted((self.moment(), self.moment()))
        if self.maybe(0.25):
            found["start_ns"], parameters["start"] = start_ns, self.time(start_ns)
        if self.maybe(0.25):
            found["end_ns"], parameters["end"] = end_ns, self.time(end_ns)
        if self.maybe(0.15):
            found["status"] = parameters["status"] = self.dice.choice(("ok", "error", "unset"))
        least_ns, most_ns = sorted((self.duration(), self.duration()))
        if self.maybe(0.15):
            found["min_duration_ns"], parameters["min_duration_ms"] = least_ns, self.milliseconds(least_ns)
        if self.maybe(0.15):
            found["max_duration_ns"], parameters["max_duration_ms"] = most_ns, self.milliseconds(most_ns)
        return TraceFilters(**found, one_span=self.filters(parameters, names, has_attributes=True))

    def duration(self) -> int:
        near_ns = self.dice.choice(self.durations) + self.dice.choice((0, 0, 1, -1))
        return max(0, near_ns)

    def milliseconds(self, ns: int) -> str:
        return f"{ns // 10**6}.{ns % 10**6:06d}" if ns % 10**6 or self.maybe(0.5) else str(ns // 10**6)

    def trace_id(self) -> str:
        """Return the id of a trace, mostly of this tenant."""
        own = [trace.trace_id for trace in self.model.traces]
        others = sorted({span.trace_id for span in self.model.dataset.spans}) or ["ab" * 16]
        return self.dice.choice(own if own and self.maybe(0.9) else others)


def range_or_default(draw: Drawer, parameters: Parameters) -> tuple[int | None, int | None]:
    """Add a start and an end, or one of them, or none; return them."""
    given = draw.dice.choice(("both",) * 8 + ("end", "start", "none"))
    if given == "none":
        return None, None
    if given == "end":
        end_ns = draw.moment() + draw.dice.randrange(HOUR_NS)
        parameters["end"] = draw.time(end_ns)
        return None, end_ns
    if given == "start":
        start_ns = draw.moment()
        parameters["start"] = draw.time(start_ns)
        return start_ns, None
    return draw.range(parameters)
