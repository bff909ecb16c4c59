"""What the oracle's tests share: `examine`."""

import logging
import time
from collections.abc import Callable

import pytest
from pytest_django import Settings

from tests.conftest import Drain
from tests.fuzz.plugin import Tally
from tests.oracle.examining import Draw, Examination
from tests.oracle.inventory import SILENCE_NS
from tests.oracle.measures import DAY_NS, SECOND_NS

Examine = Callable[..., None]


@pytest.fixture
def examine(
    drain: Drain,
    tally: Tally,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
    db: None,  # noqa: ARG001  opened
) -> Examine:
    """Return a function that asks questions of some kinds of one data set after another, and fails with what is wrong.

    `--fuzz TIMES` takes as many times the data sets; the seed chooses them. Their times lie around a midnight.
    """
    settings.CONTEXT_SILENCE_SECONDS = SILENCE_NS // SECOND_NS
    caplog.set_level(logging.WARNING, "axonize.request")  # a line a question would hide what is wrong
    midnight_ns = time.time_ns() // DAY_NS * DAY_NS - DAY_NS

    def ask(*draws: Draw) -> None:
        Examination(drain, tally, midnight_ns).examine(*draws)
        if tally.crashes:
            pytest.fail("\n\n".join([*tally.crashes, f"seed {tally.seed}"]), pytrace=False)

    return ask
