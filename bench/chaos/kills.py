"""Killing parts at random moments: which, when, and two at once now and then."""

import random
import time
from collections import Counter

from bench.chaos import queued
from bench.chaos.stack import PARTS, WITH_CHILDREN, Stack, wait

TOGETHER_EVERY = 6
"""One kill of so many takes the next victim with it."""
CHILD_EVERY = 3
BACK_SECONDS = 60
WRITING = ("worker", "clickhouse")
"""Parts that die while a batch is being written, if one is soon: that is their most delicate moment."""
WRITING_SECONDS = 3


def plan(dice: random.Random, kills: int) -> list[list[str]]:
    """Return the victims, each element killed at one moment: every part once a round, in another order each time.

    So a part has as long as possible to run between two of its deaths, and the supervisor's pauses stay short.
    """
    victims: list[str] = []
    while len(victims) < kills:
        names = list(PARTS)
        dice.shuffle(names)
        if victims and names[0] == victims[-1]:
            names.reverse()
        victims += names
    victims = victims[:kills]
    moments: list[list[str]] = []
    while victims:
        together = 2 if len(moments) % TOGETHER_EVERY == TOGETHER_EVERY - 1 else 1
        moments.append(victims[:together])
        victims = victims[together:]
    return moments


def kill_at_random(stack: Stack, dice: random.Random, *, kills: int, seconds: float) -> Counter[str]:
    """Kill parts at random moments over a time; return how often each died.

    A part that is down at its moment is waited for: every planned kill happens.
    """
    done: Counter[str] = Counter()
    moments = plan(dice, kills)
    started = time.monotonic()
    for number, victims in enumerate(moments):
        at = started + (number + dice.random()) * seconds / len(moments)
        time.sleep(max(0.0, at - time.monotonic()))
        for part in victims:
            if part in WRITING:
                wait(lambda: queued.is_being_written(stack), WRITING_SECONDS, poll_seconds=0.001)
            child = part in WITH_CHILDREN and dice.random() < 1 / CHILD_EVERY
            if wait(lambda part=part, child=child: stack.kill(part, child=child), BACK_SECONDS, poll_seconds=0.05):  # type: ignore[misc]  # lambda's defaults
                done[part] += 1
    return done
