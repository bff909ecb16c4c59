"""Spans as the Axonize SDK makes them: explicit OK, a duration of its own, the GPUs of the process."""

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from axonize.demo.fleet import Pod
from axonize.demo.spans import Event, Scope, Step, exception_event

_SCOPE = Scope("axonize", "0.1.0")


def sdk_span(
    pod: Pod,
    name: str,
    start_ns: int,
    end_ns: int,
    attributes: dict[str, AttributeValue],
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    error: str | None = None,
    events: tuple[Event, ...] = (),
    children: tuple[Step, ...] = (),
) -> Step:
    """Return a step with what the SDK adds to each span when it ends."""
    return Step(
        pod,
        _SCOPE,
        name,
        start_ns,
        end_ns,
        attributes | {"axonize.duration_ms": (end_ns - start_ns) / 1e6},
        kind,
        error=error,
        ok=error is None,
        events=events,
        children=children,
    )


def out_of_memory(pod: Pod, at_ns: int, *, asked_gib: float, source: str, line: str) -> tuple[str, Event]:
    """Return PyTorch's message for an allocation that a pod's first device has no room for, and its event."""
    message = (
        f"CUDA out of memory. Tried to allocate {asked_gib:.2f} GiB. GPU 0 has a total capacity of "
        f"{pod.devices[0].memory_gib:.2f} GiB of which {asked_gib * 0.4:.2f} GiB is free."
    )
    return message, exception_event(at_ns, kind="torch.OutOfMemoryError", message=message, source=source, line=line)
