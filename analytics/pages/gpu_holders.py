"""Who held a GPU through a range of time: a row a holder, with bars for when it did."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from analytics.pages.window import Window
from registry.models import EndedBy, ResourceContext
from registry.times import to_nanoseconds

_WIDTH: Final = 100.0
_THINNEST: Final = 0.4


@dataclass(frozen=True)
class Bar:
    """A stretch of the range, its begin and its width in percent; not `is_seen` where nobody saw the holder since."""

    left: float
    width: float
    is_seen: bool


@dataclass(frozen=True)
class Holder:
    """A label at a host, a pod and a process, on a resource; its contexts, the last first, and their bars."""

    first: ResourceContext
    contexts: list[ResourceContext] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)


def holders_of(contexts: Iterable[ResourceContext], window: Window, now: datetime) -> list[Holder]:
    """Return the holders in the order of their contexts."""
    holders: dict[tuple[object, ...], Holder] = {}
    for context in contexts:
        key = (context.resource_id, context.user_label, context.hostname, context.pod, context.process_id)
        holder = holders.setdefault(key, Holder(context))
        holder.contexts.append(context)
        holder.bars.extend(_bars(context, window, now))
    return list(holders.values())


def _bars(context: ResourceContext, window: Window, now: datetime) -> Iterable[Bar]:
    """Yield the bar until the holder was seen last, and one from then on where it may have held it still."""
    begin, end = context.attached_at, context.detached_at or now
    is_certain = context.ended_by in {EndedBy.OPERATOR, EndedBy.SILENCE}
    seen = end if is_certain else min(max(context.last_seen or end, begin), end)
    for since, until, is_seen in ((begin, seen, True), (seen, end, False)):
        left, right = _place(since, window), _place(until, window)
        if until > since or is_seen:
            width = max(right - left, _THINNEST if is_seen else 0.0)
            yield Bar(round(min(left, _WIDTH - width), 3), round(width, 3), is_seen)


def _place(moment: datetime, window: Window) -> float:
    part = (to_nanoseconds(moment) - window.start_ns) / max(window.end_ns - window.start_ns, 1)
    return min(max(part, 0.0), 1.0) * _WIDTH
