"""`manage.py up` where it refuses to start, and with the engines alone: sentences, exit codes, nothing left behind."""

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from axonize.embedded.console import Console
from axonize.embedded.credentials import secret_key
from axonize.embedded.part import PROJECT_DIR
from axonize.embedded.ports import Port, PortTakenError, check
from axonize.embedded.stack import Stack
from tests.embedded.asking import ask
from tests.embedded.test_engines import nobody_holds
from tests.engines import PORT_SETTINGS, free_ports
from tests.processes import wait_until


@contextmanager
def up(data_dir: Path, ports: Mapping[str, int], *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run `manage.py up`, and kill it in the end if it still runs."""
    environment = {**os.environ, "AXONIZE_DATA_DIR": str(data_dir), **{name: str(port) for name, port in ports.items()}}
    with subprocess.Popen(
        [sys.executable, "manage.py", "up", *options],
        cwd=PROJECT_DIR,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def some_ports() -> dict[str, int]:
    return dict(zip(PORT_SETTINGS, free_ports(len(PORT_SETTINGS)), strict=True))


@pytest.mark.parametrize("setting", PORT_SETTINGS)
def test_a_taken_port_is_named_and_nothing_is_started(data_dir: Path, setting: str) -> None:
    ports = some_ports()
    with closing(socket.create_server(("127.0.0.1", ports[setting]))), up(data_dir, ports) as process:
        output, error = process.communicate(timeout=30)
    assert process.returncode == 1
    assert output == ""
    assert error == (
        f"CommandError: Port {ports[setting]} on 127.0.0.1 can't be listened on (Address already in use): "
        f"stop what uses it, or set {setting} to another port.\n"
    )
    assert {path.name for path in data_dir.iterdir()} <= {".lock", "run"}


def test_the_engines_alone_start_and_stop_and_a_second_start_is_refused(data_dir: Path) -> None:
    ports = some_ports()
    with up(data_dir, ports, "--engines-only") as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "ready  " in line:
                break
        assert f"ready  ClickHouse: http://127.0.0.1:{ports['AXONIZE_CLICKHOUSE_PORT']}  sockets of" in lines[-1]
        spans = ask(b"SELECT count() FROM axonize.spans", port=ports["AXONIZE_CLICKHOUSE_PORT"])
        assert spans.body == b"0\n", "migrated"
        with up(data_dir, some_ports()) as second:
            _, error = second.communicate(timeout=30)
        assert second.returncode == 1
        assert error == (
            f"CommandError: The data directory {data_dir} is in use by another process: stop it, or set "
            "AXONIZE_DATA_DIR to another directory.\n"
        )
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=15)
    assert (process.returncode, error) == (0, "")
    assert "stopping" in rest
    assert nobody_holds(data_dir)
    assert "\x1b" not in "".join(lines) + rest, "no colours in a pipe"


def test_a_second_signal_stops_at_once(data_dir: Path) -> None:
    ports = some_ports()
    port = ports["AXONIZE_CLICKHOUSE_PORT"]
    with up(data_dir, ports, "--engines-only") as process:
        assert process.stdout is not None
        assert any("ready  " in line for line in process.stdout)
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            query = b"SELECT sum(sipHash64(number)) FROM numbers(1e13)"
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(query), query))
            wait_until(lambda: ask(b"SELECT count() FROM system.processes", port=port).body == b"2\n")
            process.send_signal(signal.SIGTERM)
            assert any("stopping" in line for line in process.stdout)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)
    assert process.returncode == 0
    assert nobody_holds(data_dir)


def test_nothing_outlives_a_killed_up(data_dir: Path) -> None:
    with up(data_dir, some_ports(), "--engines-only") as process:
        assert process.stdout is not None
        assert any("ready  " in line for line in process.stdout)
        process.kill()
        process.communicate()
    wait_until(lambda: nobody_holds(data_dir))


def test_a_server_of_the_environment_takes_the_place_of_an_embedded_one() -> None:
    names = [part.name for part in Stack.configured({}, engines_only=True).engines]
    assert names == ["redis", "postgres", "clickhouse"]
    for name, variable in zip(names, ("REDIS_URL", "DATABASE_URL", "CLICKHOUSE_URL"), strict=True):
        stack = Stack.configured({variable: "elsewhere://"}, engines_only=False)
        assert [part.name for part in stack.engines] == [other for other in names if other != name]
        assert ("AXONIZE_CLICKHOUSE_PORT" in {port.setting for port in stack.ports}) == (name != "clickhouse")


def test_the_receiver_is_stopped_first_and_redis_last() -> None:
    stack = Stack.configured({}, engines_only=False)
    order = [part.name for part in reversed([*stack.engines, *stack.services])]
    assert order == ["receiver", "beat", "web", "worker", "clickhouse", "postgres", "redis"]


def test_two_settings_with_one_port_are_refused() -> None:
    (port,) = free_ports(1)
    with pytest.raises(PortTakenError, match=f"A and B are both {port}"):
        check([Port("A", "127.0.0.1", port), Port("B", "127.0.0.1", port)])


def test_an_address_that_is_not_this_machines_is_refused() -> None:
    with pytest.raises(PortTakenError, match=r"Port 28199 on 192\.0\.2\.1 can't be listened on"):
        check([Port("AXONIZE_WEB_PORT", "192.0.2.1", 28199)])


def test_the_secret_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = secret_key(tmp_path)
    assert len(key) >= 50
    assert secret_key(tmp_path) == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_each_name_has_a_colour_of_its_own_on_a_terminal() -> None:
    terminal = Terminal()
    console = Console(terminal)
    for name in ("web", "worker", "web"):
        console.say(name, "hello")
    first, second, third = (line[: line.index("m", 5) + 1] for line in terminal.getvalue().splitlines())
    assert first == third != second
