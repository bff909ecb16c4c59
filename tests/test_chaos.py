"""Whatever dies, an acknowledged span is stored exactly once: the short form of `make chaos`."""

import random

import pytest

from bench.chaos import numbered, queued
from bench.chaos.kills import WRITING
from bench.chaos.ports import free_ports
from bench.chaos.senders import Senders, numbers
from bench.chaos.stack import PARTS, running, wait
from bench.chaos.verify import Verdict, alive, settled, verify

BOUND_SECONDS = 120.0
NEVER_SENT_BEFORE = range(10**6, 10**6 + numbered.SPANS_A_TRACE)


@pytest.mark.chaos
def test_every_acknowledged_span_is_stored_exactly_once_though_each_part_is_killed() -> None:
    with running(free_ports()) as stack:
        dice = random.Random(1)  # noqa: S311 - no secret
        senders = Senders(grpc_port=stack.grpc_port, http_port=stack.http_port, numbers=numbers(dice), seed=1, rate=10)
        for part in PARTS:
            sent = len(senders.tally.acknowledged)
            if part in WRITING:
                assert wait(lambda: queued.is_being_written(stack), BOUND_SECONDS, poll_seconds=0.001), stack.log
            assert stack.kill(part)
            assert wait(lambda part=part: stack.process_of(part), BOUND_SECONDS), f"{part} is not back. {stack.log}"  # type: ignore[misc]  # lambda's default
            assert wait(lambda sent=sent: len(senders.tally.acknowledged) > sent + 10, BOUND_SECONDS), stack.log  # type: ignore[misc]
        senders.join(BOUND_SECONDS)
        assert (senders.tally.undecided, senders.tally.faults) == ([], []), stack.log

        acknowledged = senders.tally.acknowledged_spans() | set(NEVER_SENT_BEFORE)
        assert alive(stack, NEVER_SENT_BEFORE, BOUND_SECONDS) == [], stack.log
        queued.let_leases_end(stack)
        assert settled(stack, acknowledged, BOUND_SECONDS), stack.log
        assert verify(stack, acknowledged, seed=1) == Verdict(
            stored=len(acknowledged), lost=0, duplicated=0, disagreements=[]
        )
