"""A trace as a whole: its summary, and what one may ask of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from tests.oracle.comparing import About
from tests.oracle.costs import total
from tests.oracle.matching import Filters
from tests.oracle.measures import covered, ms, time_text
from tests.oracle.records import Span


@dataclass(frozen=True, eq=False)
class Trace:
    trace_id: str
    spans: list[Span]
    gpu_costs: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def start_ns(self) -> int:
        return min(span.start_ns for span in self.spans)

    @cached_property
    def end_ns(self) -> int:
        return max(span.end_ns for span in self.spans)

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @cached_property
    def first(self) -> Span:
        """The earliest root, the earliest span where no root has arrived."""
        return min(self.spans, key=lambda span: (span.parent_span_id != "", span.start_ns, span.span_id))

    @property
    def error_count(self) -> int:
        return sum(span.status == "error" for span in self.spans)

    @property
    def status(self) -> str:
        return "error" if self.error_count else self.first.status

    @property
    def resources(self) -> set[str]:
        return {uuid for span in self.spans for uuid in span.resources}

    @property
    def gpu_time_ns(self) -> int:
        return sum(
            covered([(span.start_ns, span.end_ns) for span in self.spans if uuid in span.resources])
            for uuid in self.resources
        )

    @property
    def cost_usd(self) -> Decimal | None:
        costs = [span.cost_usd for span in self.spans if span.cost_usd is not None]
        of_gpus = total(self.gpu_costs)
        return sum(costs, of_gpus or Decimal(0)) if costs or of_gpus is not None else None

    @property
    def tokens_input(self) -> int:
        return sum(span.tokens_input or 0 for span in self.spans)

    @property
    def tokens_output(self) -> int:
        return sum(span.tokens_output or 0 for span in self.spans)

    @cached_property
    def summary(self) -> dict[str, Any]:
        return {
            "trace_id": self.trace_id,
            "start_time": time_text(self.start_ns),
            "end_time": time_text(self.end_ns),
            "duration_ms": ms(self.duration_ns),
            "service_name": self.first.service_name,
            "environment": self.first.environment,
            "root_span_name": self.first.name,
            "status": self.status,
            "span_count": len(self.spans),
            "error_count": self.error_count,
            "models": sorted({span.model_name for span in self.spans} - {""}),
            "tokens_input": self.tokens_input,
            "tokens_output": self.tokens_output,
            "gpu_count": len(self.resources),
            "gpu_time_ms": ms(self.gpu_time_ns),
            "cost_usd": None if self.cost_usd is None else About(float(self.cost_usd)),
        }


@dataclass(frozen=True)
class TraceFilters:
    """What a trace must satisfy as a whole, and `one_span` what one span of it must."""

    start_ns: int | None = None
    end_ns: int | None = None
    status: str | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    one_span: Filters = field(default_factory=Filters)

    @property
    def range(self) -> tuple[int, int]:
        """The start and end of a question that has both."""
        assert self.start_ns is not None
        assert self.end_ns is not None
        return self.start_ns, self.end_ns

    def hold(self, whole: Trace | Span) -> bool:
        """Tell whether the range, the status and the durations are as asked for."""
        return (
            (self.start_ns is None or whole.start_ns >= self.start_ns)
            and (self.end_ns is None or whole.start_ns < self.end_ns)
            and self.status in (None, whole.status)
            and (self.min_duration_ns is None or whole.duration_ns >= self.min_duration_ns)
            and (self.max_duration_ns is None or whole.duration_ns <= self.max_duration_ns)
        )
