"""The supervisor, on processes of a few lines: restarts with longer pauses, an ordered stop, nothing left behind."""

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from axonize.embedded.child import ending
from axonize.embedded.part import Part
from axonize.embedded.supervisor import Pauses, StartError, Supervisor
from tests.embedded.asking import alive
from tests.processes import wait_until

QUICK = Pauses(first_seconds=0.01, longest_seconds=0.04, healthy_after_seconds=30)


class Log:
    """What was said, by whom."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._grown = asyncio.Event()

    def say(self, name: str, line: str) -> None:
        self.lines.append((name, line))
        self._grown.set()

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.lines if who == name]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition on what was said."""
        async with asyncio.timeout(20):
            while not condition():
                self._grown.clear()
                await self._grown.wait()

    async def holds(self, name: str, line: str, times: int = 1) -> None:
        """Wait until a name has said a line as often as that."""
        await self.until(lambda: self.of(name).count(line) >= times)


def part(name: str, script: str, *, answers: Callable[[], bool] = lambda: True, grace_seconds: float = 10) -> Part:
    return Part(name, (sys.executable, "-u", "-c", textwrap.dedent(script)), answers, stop_grace_seconds=grace_seconds)


@asynccontextmanager
async def supervised(log: Log) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(log.say, QUICK)
    try:
        yield supervisor
    finally:
        await supervisor.stop(within_seconds=0)


SERVES = """
    import signal, sys
    def stop(*_):
        print("stopping")
        sys.exit(0)
    signal.signal(signal.SIGTERM, stop)
    print("serving")
    while True:
        signal.pause()
"""
STUBBORN = SERVES.replace("sys.exit(0)", "return")
FAILS = "print('oh'); raise SystemExit(3)"


def test_the_pause_doubles_until_the_part_ran_well() -> None:
    pauses = Pauses(first_seconds=1, longest_seconds=5, healthy_after_seconds=30)
    pause = 0.0
    found = [pause := pauses.after(pause, ran) for ran in (0.1, 0.1, 29, 0.1, 30, 0.1)]
    assert found == [1, 2, 4, 5, 1, 2]


def test_a_part_that_ends_is_started_again_and_the_log_says_so() -> None:
    log = Log()

    async def scenario() -> None:
        async with supervised(log) as supervisor:
            supervisor.start([part("crasher", FAILS)])
            await log.holds("crasher", "oh", times=4)

    asyncio.run(scenario())
    assert (
        log.of("up")[:4]
        == [
            f"crasher ended with exit code 3; starting it again in {pause} s"
            for pause in ("0.01", "0.02", "0.04", "0.04")
        ][: len(log.of("up")[:4])]
    )
    assert len(log.of("up")) >= 3


def test_a_killed_part_comes_back() -> None:
    log = Log()

    async def scenario() -> None:
        async with supervised(log) as supervisor:
            supervisor.start([part("server", "import os, signal; print(os.getpid()); signal.pause()")])
            await log.until(lambda: len(log.of("server")) == 1)
            os.kill(int(log.of("server")[0]), signal.SIGKILL)
            await log.until(lambda: len(log.of("server")) == 2)

    asyncio.run(scenario())
    assert log.of("up") == ["server ended with SIGKILL; starting it again in 0.01 s"]


def test_parts_stop_in_the_reverse_order_of_their_start_one_after_another() -> None:
    log = Log()
    names = ["store", "worker", "receiver"]

    async def scenario() -> None:
        supervisor = Supervisor(log.say, QUICK)
        supervisor.start([part(name, SERVES) for name in names])
        for name in names:
            await log.holds(name, "serving")
        await supervisor.stop(within_seconds=20)

    asyncio.run(scenario())
    assert [name for name, line in log.lines if line == "stopping"] == ["receiver", "worker", "store"]
    assert log.of("up") == []


def test_a_part_that_does_not_stop_is_killed_after_its_grace() -> None:
    log = Log()

    async def scenario() -> None:
        supervisor = Supervisor(log.say, QUICK)
        supervisor.start([part("store", SERVES), part("stubborn", STUBBORN, grace_seconds=0.1)])
        await log.holds("stubborn", "serving")
        await log.holds("store", "serving")
        await supervisor.stop(within_seconds=20)

    asyncio.run(scenario())
    assert log.of("up") == ["stubborn did not stop within 0.1 s: killed"]
    assert log.of("store") == ["serving", "stopping"]


def test_the_whole_stop_has_a_limit() -> None:
    log = Log()

    async def scenario() -> None:
        supervisor = Supervisor(log.say, QUICK)
        supervisor.start([part(name, STUBBORN, grace_seconds=1000) for name in ("one", "two")])
        await log.holds("one", "serving")
        await log.holds("two", "serving")
        async with asyncio.timeout(20):
            await supervisor.stop(within_seconds=0.1)

    asyncio.run(scenario())


def test_what_a_part_started_ends_with_it() -> None:
    log = Log()
    parent = """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        print(child.pid)
        raise SystemExit(1)
    """

    async def scenario() -> None:
        async with supervised(log) as supervisor:
            supervisor.start([part("parent", parent)])
            await log.until(lambda: bool(log.of("parent")))

    asyncio.run(scenario())
    wait_until(lambda: not alive(int(log.of("parent")[0])))


def test_a_needed_part_that_ends_before_it_answers_is_given_up() -> None:
    log = Log()

    async def scenario() -> None:
        async with supervised(log) as supervisor:
            supervisor.start([part("store", FAILS, answers=lambda: False)])
            with pytest.raises(StartError, match="store did not start"):
                await supervisor.answered(at_first_try=True)

    asyncio.run(scenario())


def test_waiting_for_answers_says_who_is_missing(tmp_path: Path) -> None:
    log = Log()
    sign = tmp_path / "ready"

    async def scenario() -> None:
        async with supervised(log) as supervisor:
            supervisor.start([part("quick", SERVES), part("slow", SERVES, answers=sign.exists)])
            waiting = asyncio.create_task(supervisor.answered(remind_seconds=0))
            await log.holds("up", "still waiting for slow")
            assert not waiting.done()
            sign.touch()
            await waiting

    asyncio.run(scenario())


def test_a_command_that_fails_is_told_with_its_output() -> None:
    log = Log()

    async def scenario() -> None:
        async with supervised(log) as supervisor:
            await supervisor.run("migrate", (sys.executable, "-c", "print('fine')"))
            with pytest.raises(StartError, match="migrate failed with exit code 3"):
                await supervisor.run("migrate", (sys.executable, "-c", FAILS))

    asyncio.run(scenario())
    assert log.of("migrate") == ["fine", "oh"]


def test_a_cancelled_command_is_gone() -> None:
    log = Log()
    script = "import os, signal; print(os.getpid(), flush=True); signal.pause()"

    async def scenario() -> None:
        async with supervised(log) as supervisor:
            running = asyncio.create_task(supervisor.run("migrate", (sys.executable, "-c", script)))
            await log.until(lambda: bool(log.of("migrate")))
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(scenario())
    assert not alive(int(log.of("migrate")[0]))


def test_endless_lines_and_broken_text_are_told_in_bounded_pieces() -> None:
    log = Log()
    script = "import sys; sys.stdout.buffer.write(b'x' * 300_000 + b'\\n\\xff\\xfe\\nlast'); sys.exit(0)"

    async def scenario() -> None:
        async with supervised(log) as supervisor:
            await supervisor.run("loud", (sys.executable, "-c", script))

    asyncio.run(scenario())
    *pieces, broken, last = log.of("loud")
    assert ("".join(pieces), broken, last) == ("x" * 300_000, "��", "last")
    assert max(map(len, pieces)) <= 2 * 64 * 1024


def test_an_ending_is_put_into_words() -> None:
    assert (ending(0), ending(3), ending(-9)) == ("exit code 0", "exit code 3", "SIGKILL")
