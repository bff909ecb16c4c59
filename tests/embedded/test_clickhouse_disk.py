"""A disk that takes no more is told in ClickHouse's words, so that whoever writes knows to come again."""

import errno
import os
import resource
import subprocess
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from axonize.embedded import engines
from axonize.embedded.chdb_query import EngineError, disk_errors_told
from axonize.embedded.part import PROJECT_DIR
from tests.embedded.asking import ask
from tests.engines import free_ports
from tests.processes import wait_until

TOO_MUCH = b"1\n" * (1024 * 1024)


def test_an_insert_that_the_disk_does_not_take_can_be_sent_again(data_dir: Path) -> None:
    [port] = free_ports(1)
    [part] = engines.parts(data_dir, port, only=["clickhouse"])
    process = subprocess.Popen(part.argv, cwd=PROJECT_DIR, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(part.answers)
        ask(b"CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n", port=port)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
        refused = ask(TOO_MUCH, port=port, query="INSERT INTO t FORMAT TSV")
        assert (refused.status, refused.headers["x-clickhouse-exception-code"]) == (500, "75")
        psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, unlimited)
        assert ask(TOO_MUCH, port=port, query="INSERT INTO t FORMAT TSV").status == 200
        assert ask(b"SELECT count() FROM t", port=port).body == b"%d\n" % TOO_MUCH.count(b"\n")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 243), (errno.EDQUOT, 243), (errno.EIO, 75)])
def test_what_the_disk_says_becomes_a_code_of_clickhouse(number: int, code: int) -> None:
    with pytest.raises(EngineError) as raised, disk_errors_told():
        raise OSError(number, os.strerror(number))
    assert raised.value.code == code
