"""When requests are sent: a sparse past all at once, then live traffic that follows the fleet's load."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from axonize.demo.load import MEAN_LOAD, load_at
from axonize.demo.sender import Sender
from axonize.demo.spans import SECOND_NS, ns
from axonize.demo.traffic import Traffic

# One request in four seconds draws an hour's chart well; a longer past is drawn with as many requests, farther apart.
_BACKFILL_INTERVAL_S = 4.0
_BACKFILL_MAX_REQUESTS = 2000
# Few enough that no pod's queue overflows, were all of these requests images of 34 spans.
_BACKFILL_FLUSH_EVERY = 50
_REPORT_EVERY_S = 1.0
_STOP_WITHIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: `rate` requests a second for `duration_s` seconds, after the past `backfill_s` seconds."""

    duration_s: float
    backfill_s: float
    rate: float
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: seconds of live traffic (None while the past is filled in) and requests made so far."""

    live_s: float | None
    requests: int


def run(plan: Plan, sender: Sender, *, report: Callable[[Progress], None], stopped: Callable[[], bool]) -> Progress:
    """Send what the plan says and wait until all of it is answered or given up; return how far it came.

    `report` hears of the progress about once a second. Once `stopped` says so, no more requests are made.
    """
    # Repeatable dice are the point, nothing here is a secret.
    rng = Random(plan.seed)  # noqa: S311
    traffic = Traffic(rng)
    requests = 0

    now_ns = time.time_ns()
    interval_s = max(_BACKFILL_INTERVAL_S, plan.backfill_s / _BACKFILL_MAX_REQUESTS)
    offset_s = -plan.backfill_s
    while (offset_s := offset_s + _gap_s(rng, 1 / interval_s, offset_s)) < 0 and not stopped():
        sender.send(traffic.next_request(offset_s), end_ns=now_ns + ns(offset_s))
        requests += 1
        if requests % _BACKFILL_FLUSH_EVERY == 0:
            sender.flush()
            report(Progress(None, requests))
    sender.flush()

    started_ns = time.monotonic_ns()
    offset_s = _gap_s(rng, plan.rate, 0)
    live_s = next_report_s = 0.0
    while (live_s := (time.monotonic_ns() - started_ns) / SECOND_NS) < plan.duration_s and not stopped():
        if live_s >= offset_s:
            sender.send(traffic.next_request(offset_s), end_ns=time.time_ns())
            requests += 1
            offset_s += _gap_s(rng, plan.rate, offset_s)
        else:
            time.sleep(min(offset_s - live_s, _STOP_WITHIN_S))
        if live_s >= next_report_s:
            report(Progress(live_s, requests))
            next_report_s += _REPORT_EVERY_S
    sender.close()
    return Progress(min(live_s, plan.duration_s), requests)


def _gap_s(rng: Random, rate: float, offset_s: float) -> float:
    """Return the seconds until the next request: random arrivals, more when the fleet is busy, `rate` on average."""
    return rng.expovariate(rate * load_at(offset_s, 0.0) / MEAN_LOAD)
