"""What was started does not outlive whoever started it, however that ended."""

import subprocess
import sys

import pytest

from axonize.embedded.part import PROJECT_DIR
from tests.embedded.asking import alive
from tests.processes import wait_until

PARENT = """
import asyncio, signal, subprocess, sys
from axonize.embedded.guarded import Guardian
from axonize.embedded.part import Part
from axonize.embedded.supervisor import Supervisor

PART = [sys.executable, "-c", '''
import os, signal, sys
signal.signal(signal.SIGTERM, getattr(signal, sys.argv[1]))
print(os.getpid(), flush=True)
while True:
    signal.pause()
''', sys.argv[1]]

async def supervise():
    supervisor = Supervisor(lambda name, line: print(line, flush=True))
    supervisor.start([Part("one", tuple(PART), lambda: True)])
    await asyncio.Event().wait()

def guard():
    guardian = Guardian(grace_seconds=0.2)
    process = subprocess.Popen(PART, start_new_session=True)
    guardian.watch(process.pid, signal.SIGTERM)
    process.wait()

asyncio.run(supervise()) if sys.argv[1] == "SIG_DFL" else guard()
"""


@pytest.mark.parametrize("on_sigterm", ["SIG_DFL", "SIG_IGN"])
def test_no_part_outlives_a_killed_parent(on_sigterm: str) -> None:
    argv = [sys.executable, "-c", PARENT, on_sigterm]
    with subprocess.Popen(argv, cwd=PROJECT_DIR, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        wait_until(lambda: not alive(pid))
