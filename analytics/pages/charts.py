"""A chart as a page carries it: numbers by bucket for the browser to draw, and the same as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from analytics.buckets import Buckets
from analytics.times import NS_PER_MS, NS_PER_SECOND, format_time

Unit = Literal["ms", "count", "per_second", "percent", "usd", "gib", "watts", "celsius", "mhz"]
Kind = Literal["lines", "bars", "stacked"]
Tone = Literal["1", "2", "3", "4", "5", "6", "error"]

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
        """What charts.js draws; edges in milliseconds."""
        per_ms = NS_PER_MS if self.axis == "time" else 1
        return {
            "kind": self.kind,
            "axis": self.axis,
            "unit": self.unit,
            "highest": self.highest,
            "edges": [edge / per_ms for edge in self.edges],
            "brush": _FROM_TO[self.axis],
            "lines": [{"name": line.name, "tone": line.tone, "values": line.values} for line in self.lines],
        }

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table: of each bucket its edges, the query of the traces in it, and the values of the lines."""
        names = _FROM_TO[self.axis]
        texts = [format_time(int(edge)) if self.axis == "time" else f"{edge:.6f}" for edge in self.edges]
        return [
            {
                "begin": self.edges[at],
                "end": self.edges[at + 1],
                "query": dict(zip(names, texts[at : at + 2], strict=True)),
                "values": [line.values[at] for line in self.lines],
            }
            for at in range(len(self.edges) - 1)
        ]


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
