"""`make chaos`: an acknowledged span is stored exactly once, whatever dies, stops or fills up meanwhile.

Runs whole stacks of its own under load and does them harm: kill -9 of every part at random moments, ClickHouse stopped,
the queue filled, the disk filled. Exits with 1 when anything acknowledged is lost or there twice, when another table or
the API tells something else, or when a part does not come back by itself.
"""

import argparse
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

from bench.chaos import disk, phases
from bench.chaos.phases import PHASES, Plan, Result
from bench.chaos.ports import free_ports
from bench.chaos.stack import PARTS, Stack, running

LOG_LINES = 60


def main() -> int:
    plan, chosen, keep_log = arguments()
    print(f"seed {plan.seed} (--seed {plan.seed} plans the same kills again)", flush=True)
    results = []
    for result in run(plan, chosen, keep_log):
        results.append(result)
        print(f"{result.phase}: {'skipped' if result.skipped else 'passed' if result.passed else 'FAILED'}", flush=True)
    print()
    print("\n".join(table(results)))
    for result in results:
        for line in (result.skipped, *result.notes, *problems(result)):
            if line:
                print(f"{result.phase}: {line}")
    return 0 if all(result.passed for result in results) else 1


def arguments() -> tuple[Plan, list[str], Path | None]:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.split("\n\n")[0] if __doc__ else "")
    plan = Plan(seed=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seed", type=int, default=plan.seed, help="of the kills and the requests")
    parser.add_argument("--kills", type=int, default=plan.kills, help="how many processes die")
    parser.add_argument("--for", type=float, default=plan.kill_seconds, help="seconds of random kills", dest="seconds")
    parser.add_argument("--clickhouse-stop", type=float, default=plan.clickhouse_stop_seconds, help="seconds")
    parser.add_argument("--phase", action="append", choices=list(PHASES), help="only this one; may be repeated")
    parser.add_argument("--log", type=Path, help="a file for what the stacks print")
    options = parser.parse_args()
    plan = Plan(
        seed=options.seed,
        kills=options.kills,
        kill_seconds=options.seconds,
        clickhouse_stop_seconds=options.clickhouse_stop,
    )
    return plan, options.phase or list(PHASES), options.log


def run(plan: Plan, chosen: Sequence[str], log: Path | None) -> Iterator[Result]:
    """Run the phases: the first two in one stack, the others each in a stack of its own."""
    together = [name for name in ("kills", "clickhouse-stop") if name in chosen]
    if together:
        with running(free_ports()) as stack:
            for name in together:
                yield PHASES[name](stack, plan)
            keep(log, stack)
    if "queue-full" in chosen:
        with running(free_ports(), AXONIZE_QUEUE_MAX_BYTES=str(phases.FULL_QUEUE_BYTES)) as stack:
            yield PHASES["queue-full"](stack, plan)
            keep(log, stack)
    if "disk-full" in chosen:
        with ExitStack() as contexts:
            try:
                folder = contexts.enter_context(disk.small(plan.disk_bytes))
            except disk.NoMountError as error:
                yield Result("disk full", skipped=f"skipped: needs root to mount a tmpfs ({error})")
                return
            stack = contexts.enter_context(running(free_ports(), data_dir=folder / "d"))
            yield PHASES["disk-full"](stack, plan)
            keep(log, stack)


def keep(log: Path | None, stack: Stack) -> None:
    if log is not None:
        with log.open("a") as file:
            file.write(stack.log)


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of the table."""
    head = (
        *("phase", "kills by part", "sent", "acknowledged", "refused (answers)", "no answer"),
        *("stored", "lost", "duplicated", "recovery s"),
    )
    rows = [head, *(row(result) for result in results if not result.skipped)]
    widths = [max(len(each[column]) for each in rows) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip() for each in rows]


def row(result: Result) -> tuple[str, ...]:
    tally, verdict = result.tally, result.verdict
    acknowledged = sum(map(len, tally.acknowledged))
    sent = acknowledged + sum(map(len, tally.undecided))
    deaths = " ".join(f"{part} {result.kills[part]}" for part in PARTS if result.kills[part]) or "-"
    stored = (f"{verdict.stored:,}", f"{verdict.lost:,}", f"{verdict.duplicated:,}") if verdict else ("?", "?", "?")
    recovery = "?" if result.recovery_seconds is None else f"{result.recovery_seconds:.0f}"
    counts = (f"{sent:,}", f"{acknowledged:,}", f"{tally.refused:,}", f"{tally.broken:,}")
    return (result.phase, deaths, *counts, *stored, recovery)


def problems(result: Result) -> list[str]:
    return result.problems + (result.verdict.disagreements if result.verdict else [])


if __name__ == "__main__":
    sys.exit(main())
