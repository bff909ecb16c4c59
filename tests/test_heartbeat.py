"""What a heartbeat says, and how it is read: of who hangs, who died, of an earlier boot, and of a stuck worker."""

import json
import logging
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery.worker import state as worker_state
from django.conf import settings

from axonize.health import checks, heartbeat, pulse
from axonize.health.heartbeat import STALE_SECONDS, Heartbeat, State, ask
from axonize.health.pulse import Pulse
from axonize.health.worker import STUCK_SECONDS, stuck
from tests.processes import wait_until


def test_the_directory_is_that_of_the_settings() -> None:
    assert heartbeat.directory() == settings.HEALTH_DIR, "the command looks there without loading them"


def test_it_tells_whether_a_part_lives_and_is_ready(tmp_path: Path) -> None:
    own = Heartbeat(tmp_path / "new", "worker")
    for state, live, ready in (
        (State(), True, True),
        (State(unready="Redis does not answer."), True, False),
        (State(hung="Its loop has not turned."), False, False),
    ):
        own.write(state)
        verdicts = [ask(tmp_path / "new", "worker", live=asked) for asked in (True, False)]
        assert [verdict.well for verdict in verdicts] == [live, ready]
        assert (state.hung or state.unready) in verdicts[1].why
    own.remove()
    assert list((tmp_path / "new").iterdir()) == []


def beat(directory: Path, *, pid: int, age_seconds: float) -> Path:
    path = directory / f"worker-{pid}.json"
    path.write_text(json.dumps({"pid": pid, "at_s": time.monotonic() - age_seconds, "hung": "", "unready": ""}))
    return path


@pytest.mark.parametrize("age_seconds", [STALE_SECONDS + 1, -1000.0], ids=["old", "of an earlier boot"])
def test_one_that_is_not_fresh_is_of_a_process_that_hangs(tmp_path: Path, age_seconds: float) -> None:
    beat(tmp_path, pid=os.getpid(), age_seconds=age_seconds)
    assert not ask(tmp_path, "worker", live=True).well


def test_one_bad_process_of_two_is_enough(tmp_path: Path) -> None:
    beat(tmp_path, pid=os.getpid(), age_seconds=0)
    assert ask(tmp_path, "worker", live=True).well
    beat(tmp_path, pid=os.getppid(), age_seconds=STALE_SECONDS + 1)
    assert f"(process {os.getppid()}) hangs" in ask(tmp_path, "worker", live=True).why


def test_what_a_dead_process_left_is_taken_away(tmp_path: Path) -> None:
    path = beat(tmp_path, pid=2**22 + 1, age_seconds=0)  # more than any Linux gives
    assert ask(tmp_path, "worker", live=True).why.startswith("No worker runs here")
    assert not path.exists()


def test_a_directory_that_can_not_be_written_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    own = Heartbeat(tmp_path / "file", "worker")
    with caplog.at_level(logging.WARNING):
        own.write(State())
        own.write(State())
    assert [record.getMessage().count("set AXONIZE_HEALTH_DIR") for record in caplog.records] == [1]


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulse:
    """Return the pulse of a loop that is not heard of for longer than one may be."""
    monkeypatch.setattr(pulse, "HUNG_SECONDS", -1.0)
    return Pulse(tmp_path, "beat", checks=["redis"])


@pytest.mark.usefixtures("queue")
def test_a_loop_that_stands_still_though_redis_answers_hangs(silent: Pulse) -> None:
    assert silent.look().hung.startswith("Its loop has not turned for ")


def test_a_loop_that_stands_still_while_redis_is_away_does_not_hang(
    silent: Pulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "unix:///nowhere/redis.sock")
    monkeypatch.setattr(pulse, "HUNG_SECONDS", 0.0)
    assert silent.look() == State(unready=checks.SENTENCES["redis", checks.UNAVAILABLE])


@pytest.mark.usefixtures("queue")
def test_a_pulse_leaves_its_file_until_it_is_stopped(tmp_path: Path) -> None:
    own = Pulse(tmp_path, "beat", checks=["redis"])
    own.start()
    own.turned()
    wait_until(lambda: ask(tmp_path, "beat", live=False).well)
    own.stop()
    wait_until(lambda: not own.is_alive())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("queue")
def test_a_part_is_ready_once_its_loop_turns(tmp_path: Path) -> None:
    own = Pulse(tmp_path, "beat", checks=["redis"])
    assert own.look() == State(unready="It is not connected to Redis yet.")
    own.turned()
    assert own.look() == State()


def test_a_worker_is_stuck_when_each_thread_has_been_at_one_task_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(time_start=time.time() - STUCK_SECONDS - 1)
    new = SimpleNamespace(time_start=time.time())
    waiting = SimpleNamespace(time_start=None)
    for active, says in (([old, new, waiting], False), ([old], False), ([], False), ([old, old], True)):
        monkeypatch.setattr(worker_state, "active_requests", active)
        assert bool(stuck(2)) is says
