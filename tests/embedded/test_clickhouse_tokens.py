"""An insert that was killed half-way can be sent again under its token, and one that was not is stored once."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from axonize.embedded import engines
from axonize.embedded.clickhouse_tokens import forget_unfinished
from axonize.embedded.part import PROJECT_DIR
from tests.embedded.asking import Reply, ask
from tests.engines import free_ports
from tests.processes import wait_until


@contextmanager
def clickhouse(data_dir: Path) -> Iterator[int]:
    """Run ClickHouse on a data directory, yield its port, and kill it."""
    [port] = free_ports(1)
    [part] = engines.parts(data_dir, port, only=["clickhouse"])
    process = subprocess.Popen(part.argv, cwd=PROJECT_DIR, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(part.answers)
        yield port
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def answers(port: int) -> bool:
    return engines.http_answers(f"http://127.0.0.1:{port}/ping")


def make_table(port: int) -> None:
    table = "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"
    assert ask(table.encode(), port=port).status == 200


def insert(port: int, number: int) -> Reply:
    """Insert a number under itself as the token."""
    return ask(b"INSERT INTO t FORMAT TSV %d" % number, port=port, insert_deduplication_token=str(number))


def stored(port: int) -> list[int]:
    return [int(line) for line in ask(b"SELECT n FROM t ORDER BY n", port=port).body.split()]


def table_dir(data_dir: Path) -> Path:
    [logs] = data_dir.glob("clickhouse/store/*/*/deduplication_logs")
    return logs.parent


def test_an_insert_killed_between_its_token_and_its_rows_is_stored_when_sent_again(data_dir: Path) -> None:
    with clickhouse(data_dir) as port:
        make_table(port)
        for number in (1, 2):
            assert insert(port, number).status == 200
    # What the kill leaves between the two: the token is in the log, the part has not got its name yet.
    table = table_dir(data_dir)
    (table / "all_2_2_0").rename(table / "tmp_insert_all_2_2_0")
    with clickhouse(data_dir) as port:
        assert stored(port) == [1]
        for number in (1, 2, 2):
            assert insert(port, number).status == 200
        assert stored(port) == [1, 2]


def test_an_insert_whose_rows_could_not_be_put_into_place_is_stored_when_sent_again(data_dir: Path) -> None:
    with clickhouse(data_dir) as port:
        make_table(port)
        assert insert(port, 1).status == 200
        in_the_way = table_dir(data_dir) / "all_2_2_0"
        in_the_way.touch()
        assert insert(port, 2).headers["x-clickhouse-exception-code"] == "236"
        wait_until(lambda: not answers(port))
        in_the_way.unlink()
    with clickhouse(data_dir) as port:
        assert insert(port, 2).status == 200
        assert stored(port) == [1, 2]


def test_a_merged_insert_is_not_stored_again_after_a_kill(data_dir: Path) -> None:
    with clickhouse(data_dir) as port:
        make_table(port)
        for number in (1, 2):
            assert insert(port, number).status == 200
        assert ask(b"OPTIMIZE TABLE t FINAL", port=port).status == 200
    with clickhouse(data_dir) as port:
        for number in (1, 2):
            assert insert(port, number).status == 200
        assert stored(port) == [1, 2]


def test_tokens_after_a_record_that_was_cut_short_are_remembered(data_dir: Path) -> None:
    with clickhouse(data_dir) as port:
        make_table(port)
        assert insert(port, 1).status == 200
    with (table_dir(data_dir) / "deduplication_logs" / "deduplication_log_1.txt").open("a") as log:
        log.write("1\tall_2_")
    with clickhouse(data_dir) as port:
        assert insert(port, 2).status == 200
    with clickhouse(data_dir) as port:
        assert insert(port, 2).status == 200
        assert stored(port) == [1, 2]


@pytest.mark.parametrize(
    ("parts", "forgotten"),
    [
        (["20260101_7_7_0"], 0),
        (["20260101_1_9_2"], 0),
        (["20260101_1_9_2_14"], 0),
        (["20260102_7_7_0"], 1),
        (["20260101_8_9_1"], 1),
        (["tmp_insert_20260101_7_7_0"], 1),
        ([], 1),
    ],
)
def test_a_token_belongs_to_its_part_and_to_what_that_was_merged_into(
    tmp_path: Path, parts: list[str], forgotten: int
) -> None:
    table = tmp_path / "store" / "abc" / "abcdef"
    logs = table / "deduplication_logs"
    logs.mkdir(parents=True)
    (logs / "deduplication_log_1.txt").write_text(
        "1\t20260101_3_3_0\tdropped\n1\t20260101_7_7_0\tasked\n2\t20260101_3_3_0\tdropped\n"
    )
    (logs / "deduplication_log_2.txt").touch()
    for part in parts:
        (table / part).mkdir()
    assert forget_unfinished(tmp_path) == forgotten
    assert forget_unfinished(tmp_path) == 0
