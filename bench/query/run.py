"""One run: every endpoint asked while spans arrive, and what its answers cost once none do."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.chaos import queued
from bench.chaos.stack import wait
from bench.query.asking import Clients, Question, clients
from bench.query.costs import cost
from bench.query.endpoints import ENDPOINTS
from bench.query.live import arriving
from bench.query.load import connect
from bench.query.questions import drawn, is_there, mixed, with_following
from bench.query.report import Ingest, Row, latencies, quantile
from bench.query.stored import Say, Server, settle
from bench.query.values import draw, with_live_traces

MIXED = "mixed"
WARM_UP_QUESTIONS, WARM_UP_SECONDS = 30, 3.0
ARRIVING_BEFORE_SECONDS = 15.0
CAUGHT_UP_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What a run is asked to do. `names` are of ENDPOINTS, or MIXED; a phase at full speed takes half of `seconds`."""

    names: Sequence[str]
    seed: int
    clients: int
    rate: float
    """Questions a second of a paced phase, all clients together."""
    seconds: float
    spans_per_second: float


def run(server: Server, plan: Plan, say: Say) -> tuple[list[Row], Ingest]:
    """Ask, and return a row for each endpoint that the server has. Raises RuntimeError when a part of it dies."""
    began = time.monotonic()
    with (
        clients(server.web_port, count=plan.clients) as asking,
        arriving(server.stack.http_port, server.keys, spans_per_second=plan.spans_per_second, seed=plan.seed) as stream,
        depth_watched(server) as depths,
    ):
        time.sleep(ARRIVING_BEFORE_SECONDS)
        asked = list(_phases(server, plan, asking, say))
        seconds = time.monotonic() - began
    say("waiting until nothing is written any more, to measure what answers cost")
    if not settle(server.stack):
        say("merges go on; the costs below have some of them in them")
    for row, questions in asked:
        row.cost = cost(server, questions)
    return [row for row, _ in asked], Ingest(plan.spans_per_second, stream.sent, seconds, depths)


def _phases(server: Server, plan: Plan, asking: Clients, say: Say) -> Iterator[tuple[Row, Sequence[Question]]]:
    client = connect(server.clickhouse_port)
    values = draw(client, server.keys, seed=plan.seed)
    probes = {name: drawn(endpoint, values, seed=plan.seed, count=1)[0] for name, endpoint in ENDPOINTS.items()}
    there = [name for name, probe in probes.items() if is_there(server.web_port, probe)]
    for name in plan.names:
        missing = server.stack.missing()
        if missing:
            raise RuntimeError(f"The stack has lost {', '.join(missing)}: {server.stack.log[-2000:]}")
        values = with_live_traces(client, values)
        if name == MIXED:
            questions = mixed(values, there, seed=plan.seed)
        elif name in there:
            questions = drawn(ENDPOINTS[name], values, seed=plan.seed)
            if ENDPOINTS[name].is_followed:
                questions = with_following(server.web_port, questions)
        else:
            say(f"{name}: the server does not have it")
            continue
        yield _asked(server, name, questions, plan, asking, say), questions


def _asked(server: Server, name: str, questions: Sequence[Question], plan: Plan, asking: Clients, say: Say) -> Row:
    asking.flat_out(questions[:WARM_UP_QUESTIONS], seconds=WARM_UP_SECONDS)
    # Questions go first, so asking at full speed leaves batches unwritten; a steady rate begins when they are not.
    wait(lambda: queued.depth(server.stack).sealed_batches <= 1, CAUGHT_UP_SECONDS, poll_seconds=0.5)
    endpoint = ENDPOINTS.get(name)
    rate = endpoint.rate if endpoint and endpoint.rate else plan.rate
    paced = asking.paced(questions, rate=rate, seconds=plan.seconds, seed=plan.seed)
    seconds = plan.seconds / 2
    flat_out = asking.flat_out(questions, seconds=seconds)
    row = Row(name, endpoint.target_ms if endpoint else None, paced, flat_out, seconds)
    p50, p95 = (quantile(latencies(paced), percent) for percent in (50, 95))
    say(f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms; {len(flat_out) / seconds:.0f} a second flat out")
    return row


@contextmanager
def depth_watched(server: Server, every_seconds: float = 1.0) -> Iterator[list[tuple[int, int]]]:
    """Note how much waits to be written, sealed batches and bytes, again and again while the context lasts."""
    depths: list[tuple[int, int]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every_seconds):
            depth = queued.depth(server.stack)
            depths.append((depth.sealed_batches, depth.queued_bytes))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield depths
    finally:
        ended.set()
        thread.join()
