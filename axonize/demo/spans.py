"""One request as a tree of steps: spans before they are sent, with times that count from the request's start."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

from axonize.demo.fleet import Pod

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000


def ns(seconds: float) -> int:
    """Return a duration in seconds as integer nanoseconds."""
    return round(seconds * SECOND_NS)


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation that makes a span: its name and version."""

    name: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something at one instant, `at_ns` nanoseconds after the request's start."""

    name: str
    at_ns: int
    attributes: dict[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A span to be: which pod makes it, when (nanoseconds after the request's start), and what it carries.

    `links` name steps that come earlier in the tree (parents before children, in order). `error` is the status message
    of a step that failed, None for one that did not; `ok` says so explicitly, which most emitters leave out.
    """

    pod: Pod
    scope: Scope
    name: str
    start_ns: int
    end_ns: int
    attributes: dict[str, AttributeValue]
    kind: SpanKind = SpanKind.INTERNAL
    error: str | None = None
    ok: bool = False
    events: tuple[Event, ...] = ()
    links: tuple["Step", ...] = ()
    children: tuple["Step", ...] = ()

    @property
    def status(self) -> StatusCode:
        if self.error is not None:
            return StatusCode.ERROR
        return StatusCode.OK if self.ok else StatusCode.UNSET

    def walk(self) -> Iterator[tuple["Step", "Step | None"]]:
        """Yield each step of the tree with its parent, parents first."""
        stack: list[tuple[Step, Step | None]] = [(self, None)]
        while stack:
            step, parent = stack.pop()
            yield step, parent
            stack.extend((child, step) for child in reversed(step.children))


def exception_event(at_ns: int, *, kind: str, message: str, source: str, line: str) -> Event:
    """Return the `exception` event that OpenTelemetry SDKs record; `source` and `line` say where it was raised."""
    stacktrace = f"Traceback (most recent call last):\n  {source}\n    {line}\n{kind}: {message}\n"
    return Event(
        "exception",
        at_ns,
        {
            "exception.type": kind,
            "exception.message": message,
            "exception.stacktrace": stacktrace,
            "exception.escaped": "False",
        },
    )
