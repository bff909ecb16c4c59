"""The stack that is asked: its data loaded once, kept where that is wished, and then copied for each run."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from axonize.embedded.credentials import secret_key
from axonize.embedded.part import PROJECT_DIR
from axonize.stores import STORE_VARIABLES
from bench.chaos import queued
from bench.chaos.ports import free_ports
from bench.chaos.stack import Stack, running, wait
from bench.query.fleet import A100, CARDS_A_NODE, H100, L40S, NODES_OF_TENANT, TENANTS
from bench.query.live import send_once
from bench.query.load import load

NOTE = "bench-query.json"
"""The file that tells what a data directory holds; written when all of it does."""
MARGIN_SECONDS = 60
"""The month ends so long before now, for a trace of its last second takes a while."""
REGISTRY_SECONDS, VISIBLE_SECONDS, SETTLE_SECONDS = 120, 600, 300
QUIET_SECONDS = 5
"""For so long no merge may have run."""
COMMAND_SECONDS = 1800
REQUESTS_PER_MINUTE = 10**6
"""More than is ever asked; requests are counted as ever."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Note:
    """What was loaded. `until_ns` is where the month ends, in nanoseconds since 1970."""

    spans: int
    seed: int
    until_ns: int
    load_seconds: float


@dataclass(frozen=True)
class Server:
    """A running stack, where its parts listen, and API keys by tenant."""

    stack: Stack
    ports: Mapping[str, int]
    keys: Mapping[str, str]
    note: Note

    @property
    def web_port(self) -> int:
        return self.ports["AXONIZE_WEB_PORT"]

    @property
    def clickhouse_port(self) -> int:
        return self.ports["AXONIZE_CLICKHOUSE_PORT"]

    def inside(self, command: str, given: object) -> Any:
        """Run a command of bench.query.inside on this stack's stores and return what it answers."""
        return run_inside(self.stack, self.ports, command, given)


def prepare(data_dir: Path, *, spans: int, seed: int, say: Say) -> Note:
    """Load the month into a directory that has none yet; return what it holds. Raises RuntimeError where that fails."""
    note = data_dir / NOTE
    if not note.exists():
        with _started(data_dir) as (stack, ports):
            made = _fill(stack, ports, spans=spans, seed=seed, say=say)
        note.write_text(json.dumps(asdict(made)))
    return Note(**json.loads(note.read_text()))


@contextmanager
def stored(data_dir: Path | None, *, spans: int, seed: int, say: Say) -> Iterator[Server]:
    """Run a stack that holds the month, of a kept directory a copy. Raises RuntimeError where it does not come up."""
    with tempfile.TemporaryDirectory(prefix="axz-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # run by root, PostgreSQL becomes another user
        own = Path(folder) / "d"
        note = prepare(data_dir or own, spans=spans, seed=seed, say=say)
        if data_dir is not None:
            say(f"copying {data_dir}, for a run adds spans of its own")
            subprocess.run(["cp", "-a", f"{data_dir}", f"{own}"], check=True)  # noqa: S607 - a fixed program
        with _started(own) as (stack, ports):
            yield Server(stack, ports, run_inside(stack, ports, "keys", list(TENANTS)), note)


@contextmanager
def _started(data_dir: Path) -> Iterator[tuple[Stack, Mapping[str, int]]]:
    ports = free_ports()
    with running(ports, data_dir=data_dir, AXONIZE_REQUESTS_PER_MINUTE=str(REQUESTS_PER_MINUTE)) as stack:
        yield stack, ports


def _fill(stack: Stack, ports: Mapping[str, int], *, spans: int, seed: int, say: Say) -> Note:
    """Load the month, have the rest of the server take notice of it, and leave it quiet."""
    started = time.monotonic()
    keys = run_inside(stack, ports, "keys", list(TENANTS))
    until_ns = time.time_ns() - MARGIN_SECONDS * 10**9
    load(ports["AXONIZE_CLICKHOUSE_PORT"], spans=spans, seed=seed, until_ns=until_ns, say=say)
    load_seconds = time.monotonic() - started
    say(f"loaded in {load_seconds:.0f} s; now the summaries of the traces")
    manage(stack, ports, "summarize_traces")
    # A worker looks through all traces itself when it writes its first batch; not while questions are asked
    send_once(stack.http_port, keys, seed=seed)
    newest = f"SELECT count() FROM trace_summaries WHERE start_time > fromUnixTimestamp64Nano({until_ns + 10**9})"  # noqa: S608 - our own
    _expect(lambda: int(stack.ask(newest)[0][0]) > 0, VISIBLE_SECONDS, "The summaries are not kept up.")
    say("waiting for the registry and for merges")
    cards = sum(NODES_OF_TENANT.values()) * CARDS_A_NODE
    usd_per_hour = {card.name: card.usd_per_hour for card in (H100, A100, L40S)}
    _expect(
        lambda: run_inside(stack, ports, "prices", usd_per_hour) == cards,
        REGISTRY_SECONDS,
        f"The registry does not have all {cards} cards.",
    )
    settle(stack)
    return Note(int(stack.ask("SELECT count() FROM spans")[0][0]), seed, until_ns, load_seconds)


def settle(stack: Stack) -> bool:
    """Wait until nothing waits to be written and no merge runs any more; tell whether that came in time."""
    quiet_since = time.monotonic()

    def is_quiet() -> bool:
        nonlocal quiet_since
        if int(stack.ask("SELECT count() FROM system.merges")[0][0]) or not queued.is_empty(stack):
            quiet_since = time.monotonic()
        return time.monotonic() - quiet_since > QUIET_SECONDS

    return wait(is_quiet, SETTLE_SECONDS, poll_seconds=0.5)


def run_inside(stack: Stack, ports: Mapping[str, int], command: str, given: object) -> Any:
    done = _run(stack, ports, "-m", "bench.query.inside", command, given=json.dumps(given))
    return json.loads(done)


def manage(stack: Stack, ports: Mapping[str, int], command: str) -> None:
    _run(stack, ports, "manage.py", command)


def _run(stack: Stack, ports: Mapping[str, int], *arguments: str, given: str = "") -> str:
    """Run Python with the environment that the stack has, and return what it prints."""
    own = {"AXONIZE_DATA_DIR": str(stack.data_dir), "SECRET_KEY": secret_key(stack.data_dir)}
    environment = {name: value for name, value in os.environ.items() if name not in STORE_VARIABLES} | own
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT_DIR,
        env=environment
        | {name: str(port) for name, port in ports.items()}
        | {"AXONIZE_LOG_LEVEL": "WARNING", "AXONIZE_REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE)},
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    if done.returncode:  # it has said why
        raise RuntimeError(f"{' '.join(arguments)} failed with exit code {done.returncode}.")
    return done.stdout


def _expect(condition: Callable[[], object], seconds: float, otherwise: str) -> None:
    if not wait(condition, seconds, poll_seconds=1):
        raise RuntimeError(f"{otherwise} Waited for {seconds:g} s.")
