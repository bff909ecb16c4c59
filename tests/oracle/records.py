"""What a data set holds: spans as they were sent, in batches, and what operations told the registry. Plain values.

Times are integer nanoseconds since 1970 UTC, ids lower-case hex; an empty text was not sent. A tenant is 0 or 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

READINGS = ("utilization", "memory_used_gb", "memory_total_gb", "temperature_celsius", "power_watts", "clock_mhz")
TEXTS = ("resource_uuid", "physical_uuid", "user_label", "model", "vendor", "node_id", "resource_type")


@dataclass(frozen=True)
class Gpu:
    """An attribution. Its `resource` is what it is filed under: the resource's UUID, else the card's, else nothing."""

    number: int = 0
    resource_uuid: str = ""
    physical_uuid: str = ""
    user_label: str = ""
    model: str = ""
    vendor: str = ""
    node_id: str = ""
    resource_type: str = ""
    readings: Mapping[str, float] = field(default_factory=dict)

    @property
    def resource(self) -> str:
        return self.resource_uuid or self.physical_uuid

    @property
    def is_sent(self) -> bool:
        """Whether anything is sent of it at all; its number alone is nothing."""
        return bool(self.readings) or any(getattr(self, name) for name in TEXTS)

    def known(self, reading: str) -> float | None:
        """Return a reading; all five zero is what NVML says of a MIG slice, and tells nothing."""
        five = [self.readings.get(name) for name in READINGS if name != "memory_total_gb"]
        if reading != "memory_total_gb" and five == [0] * 5:
            return None
        return self.readings.get(reading)


@dataclass(frozen=True)
class Span:
    tenant: int
    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    start_ns: int
    end_ns: int
    kind: str = "internal"
    status: str = "unset"
    message: str = ""
    resource: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] = ()

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def service_name(self) -> str:
        return str(self.resource.get("service.name", "unknown_service"))

    @property
    def environment(self) -> str:
        new, old = "deployment.environment.name", "deployment.environment"
        return str(self.resource.get(new) or self.resource.get(old) or "")

    @property
    def model_name(self) -> str:
        request, response = "gen_ai.request.model", "gen_ai.response.model"
        return str(self.attributes.get(request) or self.attributes.get(response) or "")

    @property
    def tokens_input(self) -> int | None:
        return integer(self.attributes.get("gen_ai.usage.input_tokens"))

    @property
    def tokens_output(self) -> int | None:
        return integer(self.attributes.get("gen_ai.usage.output_tokens"))

    @property
    def ttft_ms(self) -> float | None:
        if "ai.llm.ttft_ms" in self.attributes:
            return float(self.attributes["ai.llm.ttft_ms"])
        return latency_ms(self.attributes.get("gen_ai.latency.time_to_first_token"))

    @property
    def queue_ms(self) -> float | None:
        return latency_ms(self.attributes.get("gen_ai.latency.time_in_queue"))

    @property
    def tokens_per_second(self) -> float | None:
        if "ai.llm.tokens_per_second" in self.attributes:
            return float(self.attributes["ai.llm.tokens_per_second"])
        if self.tokens_output is None or self.ttft_ms is None:
            return None
        left_ms = self.duration_ns / 1e6 - self.ttft_ms
        return self.tokens_output / (left_ms / 1000) if left_ms > 0 else None

    @property
    def cost_usd(self) -> Decimal | None:
        return Decimal(repr(self.attributes["cost.usd"])) if "cost.usd" in self.attributes else None

    @property
    def resources(self) -> set[str]:
        """What it ran on."""
        return {gpu.resource for gpu in self.gpus if gpu.resource}


def integer(value: Any) -> int | None:
    """Return a count that was sent as a number or as digits."""
    try:
        return None if value is None else int(value)
    except ValueError:
        return None


def latency_ms(value: Any) -> float | None:
    """Return milliseconds: an integer is nanoseconds, a double seconds."""
    if value is None:
        return None
    return value / 1e6 if isinstance(value, int) else float(value) * 1000


@dataclass(frozen=True)
class Card:
    """A card that operations entered into the registry."""

    tenant: int
    uuid: str
    model: str = ""
    vendor: str = ""
    node_id: str = ""
    memory_total_gb: float | None = None
    cost_per_hour_usd: Decimal | None = None


@dataclass(frozen=True)
class Resource:
    """A resource that operations entered into the registry."""

    tenant: int
    uuid: str
    card: str = ""
    resource_type: str = ""
    memory_total_gb: float | None = None


@dataclass(frozen=True)
class Dataset:
    """Batches in the order in which they arrived, and the registry's cards and resources, entered beforehand.

    `deleted` are the traces, each a tenant and an id, that were deleted at the end. `anchor_ns` is what the times lie
    around, for whoever reads them.
    """

    anchor_ns: int
    batches: tuple[tuple[Span, ...], ...]
    cards: tuple[Card, ...] = ()
    resources: tuple[Resource, ...] = ()
    deleted: tuple[tuple[int, str], ...] = ()

    @cached_property
    def sent(self) -> list[Span]:
        return [span for batch in self.batches for span in batch]

    @cached_property
    def spans(self) -> list[Span]:
        """What is there: what was sent and not deleted."""
        return [span for span in self.sent if (span.tenant, span.trace_id) not in self.deleted]
