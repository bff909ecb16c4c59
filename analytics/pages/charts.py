"""A chart as a page carries it: numbers by bucket, for the browser to draw and to write as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, Literal

from analytics.buckets import Buckets
from analytics.times import MAX_NS, NS_PER_MS, NS_PER_SECOND, format_time

Unit = Literal["ms", "count", "per_second", "percent", "usd", "gib", "watts", "celsius", "mhz"]
Kind = Literal["lines", "bars", "stacked"]
Tone = Literal["1", "2", "3", "4", "5", "6", "error", "rest"]

_FROM_TO: Final = {"time": ("start", "end"), "duration": ("min_duration_ms", "max_duration_ms")}


@dataclass(frozen=True)
class Line:
    """One curve, or one colour of the bars: a value for each bucket, None where there is none."""

    name: str
    values: Sequence[float | None]
    tone: Tone = "1"


@dataclass(frozen=True)
class Chart:
    """Values by bucket. `edges` are one more than the buckets: nanoseconds since 1970 UTC; of durations, milliseconds.

    `slug` tells a page's charts apart. What is brushed becomes the page's range of time, or of durations. `highest`
    is the top of the scale where it is known, as 100 percent; `nothing` is what stands in place of an empty chart.
    """

    slug: str
    title: str
    unit: Unit
    edges: Sequence[float]
    lines: Sequence[Line]
    kind: Kind = "lines"
    axis: Literal["time", "duration"] = "time"
    highest: float | None = None
    nothing: str = "Nothing in this range."

    @property
    def is_empty(self) -> bool:
        return all(value is None for line in self.lines for value in line.values)

    @property
    def data(self) -> dict[str, Any]:
        """What charts.js draws, edges in milliseconds; `bounds` are what chooses each bucket, as `brush` names it."""
        per_ms = NS_PER_MS if self.axis == "time" else 1
        return {
            "kind": self.kind,
            "axis": self.axis,
            "unit": self.unit,
            "highest": self.highest,
            "edges": [edge / per_ms for edge in self.edges],
            "brush": _FROM_TO[self.axis],
            "bounds": self._bounds,
            "lines": [{"name": line.name, "tone": line.tone, "values": line.values} for line in self.lines],
        }

    @property
    def _bounds(self) -> list[tuple[str, str | None]]:
        """What chooses each bucket, as the parameters have it that a brush sets.

        An end of time is excluded, as the bucket has it; a longest duration is included, so it is a nanosecond less,
        and none where the bucket goes on beyond what can be asked for.
        """
        if self.axis == "time":
            texts = [format_time(int(edge)) for edge in self.edges]
            return list(pairwise(texts))
        edges_ns = [Decimal(repr(edge)) * NS_PER_MS for edge in self.edges]
        return [
            (_milliseconds(begin), _milliseconds(end - 1) if end <= MAX_NS else None)
            for begin, end in pairwise(edges_ns)
        ]


def _milliseconds(nanoseconds: Decimal) -> str:
    text = f"{nanoseconds / NS_PER_MS:.6f}"
    return text.rstrip("0").rstrip(".")


def time_edges(buckets: Buckets) -> list[int]:
    """Return where the buckets begin, and where the last ends."""
    starts = buckets.starts_ns
    return [*starts, starts.stop if not starts else starts[-1] + starts.step]


def rates(counts: Sequence[float | None], buckets: Buckets) -> list[float | None]:
    """Return counts as numbers a second, over the part of each bucket that lies within the range."""
    return [
        None if count is None else count / max(buckets.seconds_within(number), 1 / NS_PER_SECOND)
        for number, count in enumerate(counts)
    ]
