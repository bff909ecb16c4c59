"""A pytest plugin, loaded by ``-p tests.fuzz.plugin``: how many inputs, from which seed, and what became of them.

In the suite the inputs are few and always the same. `--fuzz TIMES` multiplies them, and `--hypothesis-seed` chooses
others; `make fuzz` gives both. Hypothesis' profiles are registered here and nowhere else.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import pytest
from hypothesis import HealthCheck, Phase, settings

SUITE_SEED = 20_260_207
_tallies: dict[str, "Tally"] = {}


@dataclass
class Tally:
    """What became of the inputs of one test. `times` is how many times as many as in the suite it shall try."""

    name: str
    times: int
    seed: int
    inputs: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)

    def count(self, fate: str, inputs: int = 1) -> None:
        self.inputs += inputs
        self.fates[fate] += inputs

    def crash(self, what: str) -> None:
        self.count("crashed")
        self.crashes.append(what)

    def settle(self) -> None:
        """Fail with what crashed."""
        assert not self.crashes, "\n\n".join(self.crashes)

    @cached_property
    def dice(self) -> random.Random:
        """Dice that fall the same for the same seed."""
        return random.Random(f"{self.name} {self.seed}")  # noqa: S311  no secret


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz", type=int, default=1, metavar="TIMES", help="try TIMES as many inputs as the suite does")


def pytest_configure(config: pytest.Config) -> None:
    # Through real engines shrinking takes minutes, and what fails here names the one value that does.
    common = settings(
        deadline=None,
        database=None,
        print_blob=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile("suite", common, derandomize=True)
    settings.register_profile("fuzz", common)
    settings.load_profile("suite" if config.getoption("--hypothesis-seed") is None else "fuzz")


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Count what becomes of this test's inputs."""
    name = request.node.name.removeprefix("test_")
    given = request.config.getoption("--hypothesis-seed")
    counted = _tallies[name] = Tally(
        name, request.config.getoption("--fuzz"), SUITE_SEED if given is None else int(given)
    )
    return counted


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--fuzz") == 1 or not _tallies:
        return
    terminalreporter.section("inputs")
    for counted in _tallies.values():
        fates = ", ".join(f"{count:,} {fate}" for fate, count in sorted(counted.fates.items()))
        terminalreporter.write_line(f"{counted.name}: {counted.inputs:,} ({fates})")
    total = sum(counted.inputs for counted in _tallies.values())
    crashes = sum(len(counted.crashes) for counted in _tallies.values())
    seed = config.getoption("--hypothesis-seed")
    terminalreporter.write_line(f"{total:,} inputs, {crashes:,} crashes, seed {seed}")
