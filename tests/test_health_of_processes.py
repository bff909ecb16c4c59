"""`manage.py health` on a whole stack, each of whose parts is held in turn: what it says is so, and says why."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.error import HTTPError
from urllib.request import Request

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from axonize.embedded.engines import DIRECT
from bench.chaos.ports import free_ports
from bench.chaos.stack import Stack, running
from tests.health import PARTS, health, is_ready
from tests.processes import wait_until

BOUND_SECONDS = 90.0


class Asked:
    """A running stack and how to ask about its parts."""

    def __init__(self, stack: Stack, ports: dict[str, int]) -> None:
        self.stack = stack
        self.web_port = ports["AXONIZE_WEB_PORT"]
        self.env = {"AXONIZE_DATA_DIR": str(stack.data_dir), **{name: str(port) for name, port in ports.items()}}

    def ready(self) -> set[str]:
        return {part for part in PARTS if is_ready(part, self.env)}

    def live(self) -> set[str]:
        return {part for part in PARTS if health(part, "--live", env=self.env)[0] == 0}

    def await_ready(self, *parts: str) -> None:
        wait_until(lambda: self.ready() == set(parts), BOUND_SECONDS, lambda: f"ready: {self.ready()}")

    def why(self, part: str) -> str:
        return health(part, env=self.env)[1]


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    ports = dict(free_ports())
    with running(ports) as stack:
        yield Asked(stack, ports)


@contextmanager
def held(asked: Asked, *parts: str) -> Iterator[None]:
    """Hold parts, with all of their processes, and wait in the end until every part is ready again."""
    processes = []
    for part in parts:
        process = asked.stack.process_of(part)
        assert process is not None
        processes += [process, *process.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()
    asked.await_ready(*PARTS)


def test_while_clickhouse_hangs_the_worker_lives_and_says_what_it_waits_for(asked: Asked) -> None:
    asked.await_ready(*PARTS)
    with held(asked, "clickhouse"):
        asked.await_ready("receiver", "beat")
        assert asked.why("worker").endswith(": ClickHouse does not answer.\n")
        assert asked.why("web") == ("The web process answers 503: clickhouse unavailable, migrations unavailable.\n")
        assert asked.live() == set(PARTS), "to start one again would not help"


def test_while_postgresql_hangs_worker_and_web_say_so_and_a_request_ends(asked: Asked) -> None:
    with held(asked, "postgres"):
        asked.await_ready("receiver", "beat")
        assert asked.why("worker").endswith(": PostgreSQL does not answer.\n")
        assert "postgres unavailable" in asked.why("web")
        with pytest.raises(HTTPError) as caught:
            DIRECT.open(Request(f"http://127.0.0.1:{asked.web_port}/api/v1/nodes"), timeout=40)
        caught.value.close()
        assert caught.value.code == 503
        assert asked.live() == set(PARTS)


def test_while_redis_hangs_all_live_and_none_is_ready(asked: Asked) -> None:
    with held(asked, "redis"):
        asked.await_ready()
        for part in ("receiver", "worker", "beat"):
            assert asked.why(part).endswith(": Redis does not answer.\n")
        assert asked.why("web") == "The web process answers 503: redis unavailable.\n"
        assert asked.live() == set(PARTS)


def test_processes_that_hang_do_not_live(asked: Asked) -> None:
    with held(asked, *PARTS):
        wait_until(lambda: asked.live() == set(), BOUND_SECONDS)
        assert "hangs: it has written nothing for" in asked.why("beat")
        assert asked.why("web").startswith("The web process does not answer on 127.0.0.1:")


def test_a_part_that_died_does_not_live_until_it_is_back(asked: Asked) -> None:
    worker = asked.stack.process_of("worker")
    assert worker is not None
    worker.kill()
    wait_until(lambda: "worker" not in asked.live(), BOUND_SECONDS)
    asked.await_ready(*PARTS)
    assert asked.stack.process_of("worker") != worker
