"""The embedded servers as processes: data outlives any death, two sets live side by side, a second one is refused."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from axonize.embedded import engines
from axonize.embedded.datadir import DataDirectoryError, lock
from axonize.embedded.part import PROJECT_DIR, Part
from tests.embedded.asking import Reply, ask
from tests.engines import free_ports
from tests.processes import wait_until


@contextmanager
def running(part: Part) -> Iterator[subprocess.Popen[bytes]]:
    """Run one part until it answers, and kill it in the end if it still runs."""
    process = subprocess.Popen(part.argv, cwd=PROJECT_DIR, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or part.answers())
        yield process
    finally:
        process.kill()
        process.wait()


def ended(part: Part) -> subprocess.CompletedProcess[str]:
    """Run one part that is to end by itself."""
    return subprocess.run(part.argv, cwd=PROJECT_DIR, capture_output=True, text=True, check=False, timeout=30)


def one_part(name: str, data_dir: Path, port: int = 0) -> Part:
    (part,) = engines.parts(data_dir, port, only=[name])
    return part


def nobody_holds(data_dir: Path) -> bool:
    """Whether no engine of a data directory is left: each holds a lock for as long as it, or a child of it, lives."""
    try:
        for name in engines.NAMES:
            os.close(lock(data_dir, f".{name}.lock"))
    except DataDirectoryError:
        return False
    return True


def connect_postgres(data_dir: Path) -> psycopg.Connection:
    return psycopg.connect(host=str(data_dir / "run"), user="postgres", dbname="axonize", autocommit=True)


def test_clickhouse_finds_all_its_data_after_a_kill(data_dir: Path) -> None:
    (port,) = free_ports(1)
    part = one_part("clickhouse", data_dir, port)
    with running(part) as process:
        ask(b"CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n", port=port)
        ask(b"CREATE VIEW v AS SELECT sum(n) AS total FROM t", port=port)
        for _ in range(5):
            assert ask(b"INSERT INTO t SELECT number FROM numbers(100000)", port=port).status == 200
        process.kill()
        process.wait()
    with running(part):
        assert ask(b"SELECT count() FROM t", port=port).body == b"500000\n"
        assert ask(b"SELECT total FROM v", port=port).body == b"24999750000\n"


def test_clickhouse_stops_in_time_while_queries_run(data_dir: Path) -> None:
    (port,) = free_ports(1)

    def answer(query: bytes) -> Reply | None:
        try:
            return ask(query, port=port)
        except (OSError, http.client.HTTPException):
            return None

    with running(one_part("clickhouse", data_dir, port)) as process, ThreadPoolExecutor() as pool:
        ask(b"CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n", port=port)
        soon_done = pool.submit(answer, b"SELECT sleep(1)")
        endless_ones = [
            pool.submit(answer, query)
            for query in (
                b"SELECT sum(sipHash64(number)) FROM numbers(1e13)",
                b"INSERT INTO t SELECT sipHash64(number) FROM numbers(1e13)",
                b"SELECT number FROM numbers(1e13)",
            )
        ]
        wait_until(lambda: ask(b"SELECT count() FROM system.processes", port=port).body == b"5\n")
        process.terminate()
        assert process.wait(5) == 0
        reply = soon_done.result()
        assert reply is not None
        assert (reply.status, reply.body) == (200, b"0\n")
        replies = [endless.result() for endless in endless_ones]
        assert [reply for reply in replies if reply and reply.status == 200] == []


def test_redis_finds_all_its_data_after_a_kill(data_dir: Path) -> None:
    part = one_part("redis", data_dir)
    path = str(data_dir / "run" / "redis.sock")
    with running(part) as process, redis.Redis(unix_socket_path=path) as client:
        for number in range(100):
            client.rpush("batch", number)
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        process.kill()
        process.wait()
    with running(part), redis.Redis(unix_socket_path=path) as client:
        assert client.llen("batch") == 100


def test_postgres_finds_all_its_data_after_a_kill(data_dir: Path) -> None:
    part = one_part("postgres", data_dir)
    with running(part) as process, connect_postgres(data_dir) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        process.kill()
        process.wait()
    with running(part), connect_postgres(data_dir) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1000,)


def test_postgres_stops_at_once_though_a_client_is_connected(data_dir: Path) -> None:
    part = one_part("postgres", data_dir)
    with running(part) as process, connect_postgres(data_dir):
        process.send_signal(part.stop_signal)
        assert process.wait(5) == 0


def test_postgres_makes_its_cluster_again_when_the_first_try_was_killed(data_dir: Path) -> None:
    (data_dir / "postgres" / "18.new" / "base").mkdir(parents=True)
    with running(one_part("postgres", data_dir)), connect_postgres(data_dir) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="about root, and what Linux lets it keep")
def test_postgres_runs_for_root_below_a_directory_that_only_root_may_enter(data_dir: Path) -> None:
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    with running(one_part("postgres", closed / "data")), connect_postgres(closed / "data") as connection:
        assert connection.execute("SHOW data_directory").fetchone() == (str(closed / "data" / "postgres" / "18"),)
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", engines.NAMES)
def test_a_data_directory_in_use_is_one_clear_sentence(data_dir: Path, name: str) -> None:
    ports = free_ports(2)
    with running(one_part(name, data_dir, ports[0])):
        refused = ended(one_part(name, data_dir, ports[1]))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"The data directory {data_dir} is in use by another process: stop it, or set AXONIZE_DATA_DIR to another"
        " directory.\n"
    )
    assert refused.stdout == ""


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_path_too_long_for_a_socket_is_one_clear_sentence(data_dir: Path, name: str) -> None:
    long = data_dir / ("x" * 100)
    refused = ended(one_part(name, long))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"The data directory {long} has too long a path for unix sockets")
    assert not long.exists()


def test_a_taken_port_is_one_clear_sentence(data_dir: Path) -> None:
    (port,) = free_ports(1)
    with running(one_part("clickhouse", data_dir / "one", port)):
        refused = ended(one_part("clickhouse", data_dir / "two", port))
    assert refused.returncode == 1
    assert refused.stderr == f"ClickHouse can't listen on 127.0.0.1:{port}: Address already in use.\n"


def test_two_sets_of_engines_run_side_by_side_and_find_their_own_data_again(data_dir: Path) -> None:
    ports = free_ports(2)
    names = ("one", "two")
    for times in (1, 2):
        with engines.running(data_dir / "one", ports[0]), engines.running(data_dir / "two", ports[1]):
            for name, port in zip(names, ports, strict=True):
                ask(b"CREATE TABLE IF NOT EXISTS t (name String) ENGINE = MergeTree ORDER BY name", port=port)
                ask(name.encode(), query="INSERT INTO t FORMAT TSV", port=port)
                counted = ask(b"SELECT name, count() FROM t GROUP BY name", port=port)
                assert counted.body == f"{name}\t{times}\n".encode()
                with redis.Redis(unix_socket_path=str(data_dir / name / "run" / "redis.sock")) as client:
                    assert client.incr(name) == times
                with connect_postgres(data_dir / name) as connection:
                    connection.execute("CREATE TABLE IF NOT EXISTS t (n int)")
                    connection.execute("INSERT INTO t VALUES (1)")
                    assert connection.execute("SELECT count(*) FROM t").fetchone() == (times,)


def test_an_engine_that_does_not_start_says_why(data_dir: Path) -> None:
    (data_dir / "redis").mkdir()
    (data_dir / "redis" / "appendonly.aof").write_text("no append-only file")
    with (
        pytest.raises(engines.EngineStartError, match=r"(?s)redis did not start: .*Bad file format"),
        engines.running(data_dir, 0, only=["redis"]),
    ):
        pass


def test_the_engines_do_not_outlive_a_killed_parent(data_dir: Path) -> None:
    (port,) = free_ports(1)
    script = (
        "import signal, sys; from pathlib import Path; from axonize.embedded import engines\n"
        f"with engines.running(Path({str(data_dir)!r}), {port}):\n"
        "    print('up', flush=True); signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT_DIR, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: nobody_holds(data_dir))


@pytest.mark.parametrize("name", engines.NAMES)
def test_a_path_that_no_address_can_carry_is_one_clear_sentence(data_dir: Path, name: str) -> None:
    refused = ended(one_part(name, data_dir / "what?", free_ports(1)[0]))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"The data directory {data_dir}/what? has '?' in its path, which the servers' addresses can't carry: "
        "set AXONIZE_DATA_DIR to another directory.\n"
    )
    assert list(data_dir.iterdir()) == []
