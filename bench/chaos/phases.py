"""The phases of the trial: each does one kind of harm under load, lets the stack recover, and counts."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.chaos import disk, sdk
from bench.chaos.kills import kill_at_random
from bench.chaos.senders import Senders, Tally, numbers
from bench.chaos.stack import Stack, wait
from bench.chaos.verify import Verdict, alive, settled, verify

RECOVERY_SECONDS = 240.0
"""Longer than a writer's lease, the rescue's rounds and the supervisor's longest pause together."""
NUMBERS_A_PHASE = 10**9
LIVENESS_OFFSET = NUMBERS_A_PHASE // 2
WARM_UP_SECONDS = 3.0
FULL_QUEUE_BYTES = 200_000
SDK_SPANS = 1_000


@dataclass(frozen=True)
class Plan:
    """What a run is asked to do; times in seconds."""

    seed: int
    kills: int = 24
    kill_seconds: float = 90.0
    clickhouse_stop_seconds: float = 60.0
    full_queue_seconds: float = 15.0
    full_disk_seconds: float = 15.0
    disk_bytes: int = 768 * 1024 * 1024


@dataclass
class Result:
    """One row of the table."""

    phase: str
    kills: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)
    verdict: Verdict | None = None
    recovery_seconds: float | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def passed(self) -> bool:
        return bool(self.skipped) or (self.verdict is not None and self.verdict.kept and not self.problems)


@contextmanager
def load(stack: Stack, plan: Plan, number: int, result: Result) -> Iterator[None]:
    """Send during the context; then wait for recovery, and compare."""
    first = number * NUMBERS_A_PHASE
    senders = Senders(
        grpc_port=stack.grpc_port,
        http_port=stack.http_port,
        numbers=numbers(random.Random(plan.seed + number), first=first),  # noqa: S311 - no secret
        seed=plan.seed,
    )
    result.tally = senders.tally
    try:
        yield
    finally:
        senders.stop()
    ended = time.monotonic()
    senders.join(RECOVERY_SECONDS)
    acknowledged = senders.tally.acknowledged_spans()
    extra = range(first + LIVENESS_OFFSET, first + LIVENESS_OFFSET + 5)
    missing = alive(stack, extra, RECOVERY_SECONDS)
    result.problems += [f"not back: {part}" for part in missing]
    if "receiver" not in missing:
        acknowledged |= set(extra)
    if not settled(stack, acknowledged, RECOVERY_SECONDS):
        result.problems.append(f"not settled within {RECOVERY_SECONDS:g} s")
    result.recovery_seconds = time.monotonic() - ended
    result.problems += sorted(set(senders.tally.faults))
    if senders.tally.undecided:
        result.problems.append(f"{len(senders.tally.undecided)} requests were never acknowledged")
    result.verdict = verify(stack, acknowledged, seed=plan.seed)


def kills(stack: Stack, plan: Plan) -> Result:
    """Kill -9 of every part, again and again."""
    result = Result("kill -9")
    with load(stack, plan, 1, result):
        time.sleep(WARM_UP_SECONDS)
        dice = random.Random(plan.seed)  # noqa: S311 - no secret
        result.kills = kill_at_random(stack, dice, kills=plan.kills, seconds=plan.kill_seconds)
    if sum(result.kills.values()) < plan.kills:
        result.problems.append(f"only {sum(result.kills.values())} of {plan.kills} kills found a running part")
    return result


def stopped_clickhouse(stack: Stack, plan: Plan) -> Result:
    """ClickHouse hangs: it neither answers nor refuses connections."""
    result = Result("ClickHouse stopped")
    with load(stack, plan, 2, result):
        time.sleep(WARM_UP_SECONDS)
        with stack.stopped("clickhouse"):
            time.sleep(plan.clickhouse_stop_seconds)
        time.sleep(WARM_UP_SECONDS)
    return result


def full_queue(stack: Stack, plan: Plan) -> Result:
    """Nothing leaves the queue until it is full: refusals, and an SDK that retries by itself. Needs a small queue."""
    result = Result("queue full")
    with load(stack, plan, 3, result):
        time.sleep(WARM_UP_SECONDS)
        with stack.stopped("clickhouse"):
            if not wait(lambda: result.tally.refused, RECOVERY_SECONDS):
                result.problems.append("nothing was refused")
            delivery = sdk.export(stack.grpc_port, spans=SDK_SPANS)
            time.sleep(plan.full_queue_seconds)
        if not delivery.result(RECOVERY_SECONDS):
            result.problems.append("the SDK gave spans up")
        time.sleep(WARM_UP_SECONDS)
    result.notes.append(f"slowest refusal {result.tally.slowest_refusal_seconds * 1000:.0f} ms")
    if result.tally.unhinted:
        result.problems.append(f"{result.tally.unhinted} refusals without RetryInfo or Retry-After")
    stored = int(stack.ask(f"SELECT count() FROM spans WHERE service_name = '{sdk.SERVICE}'")[0][0])  # noqa: S608 - our own
    result.notes.append(f"the SDK's {SDK_SPANS} spans: {stored} stored")
    if stored != SDK_SPANS:
        result.problems.append(f"{stored} of the SDK's {SDK_SPANS} spans are stored")
    return result


def full_disk(stack: Stack, plan: Plan) -> Result:
    """Leave the disk under the data directory no byte for a while."""
    result = Result("disk full")
    with load(stack, plan, 4, result):
        time.sleep(WARM_UP_SECONDS)
        with disk.filled(stack.data_dir.parent) as filler:
            filler.keep_full(plan.full_disk_seconds)
        time.sleep(WARM_UP_SECONDS)
    return result


Phase = Callable[[Stack, Plan], Result]
PHASES: dict[str, Phase] = {
    "kills": kills,
    "clickhouse-stop": stopped_clickhouse,
    "queue-full": full_queue,
    "disk-full": full_disk,
}
