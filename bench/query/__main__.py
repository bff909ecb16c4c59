"""`make bench-query`: how fast the REST API answers with ten million spans stored and 10,000 a second arriving.

Runs a stack of its own, loads a month of a made-up fleet, and asks every endpoint some hundred different questions,
first at a steady rate and then as fast as answers come. Exits with 1 when an answer takes longer than is promised.
"""

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")

from bench.query import report
from bench.query.costs import memory_mib
from bench.query.endpoints import ENDPOINTS
from bench.query.run import MIXED, Plan, run
from bench.query.stored import prepare, stored

PARTS = ("web", "clickhouse", "receiver", "worker")


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stack that is running has to be stopped
    try:
        if options.load_only:
            note = prepare(options.data_dir, spans=options.spans, seed=options.seed, say=say)
            say(f"{options.data_dir} holds {note.spans:,} spans")
            return 0
        return ask(options)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1


def ask(options: argparse.Namespace) -> int:
    """Run, print the table, and return the exit code. Raises RuntimeError where the stack or the data is missing."""
    plan = Plan(
        names=options.only or [*ENDPOINTS, MIXED],
        seed=options.seed,
        clients=options.clients,
        rate=options.rate,
        seconds=options.seconds,
        spans_per_second=options.ingest_rate,
    )
    with stored(options.data_dir, spans=options.spans, seed=options.seed, say=say) as server:
        say(f"{server.note.spans:,} spans are stored, loaded in {server.note.load_seconds:.0f} s")
        rows, ingest = run(server, plan, say)
        memory = {part: memory_mib(server, part) for part in PARTS}
    about = report.machine()
    lines = [
        *report.table(rows),
        *report.ingest_lines(ingest),
        "memory: " + ", ".join(f"{part} {mib:,} MiB" for part, mib in memory.items()),
        *(f"{name}: {text}" for name, text in about.items()),
    ]
    problems = report.problems(rows)
    print("", *lines, *problems, sep="\n")
    if options.json:
        everything = about | {"plan": asdict(plan), "stored": asdict(server.note), "memory_mib": memory}
        options.json.write_text(json.dumps(report.as_json(rows, ingest, everything), indent=2) + "\n")
    return 1 if problems else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-query", description=__doc__.split("\n\n")[0] if __doc__ else "")
    add = parser.add_argument
    add("--spans", type=int, default=10_000_000, help="how many are stored (default: %(default)s)")
    add("--data-dir", type=Path, help="keep the loaded data here, or use what is kept; it is asked in a copy")
    add("--load-only", action="store_true", help="load and keep the data, and ask nothing")
    add("--only", action="append", choices=[*ENDPOINTS, MIXED], help="ask only this; may be repeated")
    add("--seconds", type=float, default=30.0, help="of each paced phase (default: %(default)s)")
    add("--rate", type=float, default=4.0, help="questions a second of a paced phase (default: %(default)s)")
    add("--clients", type=int, default=4, help="that ask at the same time (default: %(default)s)")
    add("--ingest-rate", type=float, default=10_000.0, help="spans a second that arrive (default: %(default)s)")
    add("--seed", type=int, default=1, help="of the data and of the questions (default: %(default)s)")
    add("--json", type=Path, help="a file for all numbers")
    options = parser.parse_args()
    if options.load_only and options.data_dir is None:
        parser.error("--load-only keeps the data in --data-dir: name one.")
    return options


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
