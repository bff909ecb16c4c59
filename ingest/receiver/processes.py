"""Several receivers on the same two ports: the kernel deals out connections, and one that ends is started again."""

import asyncio
import signal
import sys

from axonize.embedded.child import Say
from axonize.embedded.part import Part
from axonize.embedded.supervisor import Supervisor
from ingest.receiver.ports import check_free

STOP_GRACE_SECONDS = 6.0  # a receiver answers what is under way for five
STOP_SECONDS = 10.0


async def receive_in_processes(count: int, *, bind: str, grpc_port: int, http_port: int, say: Say) -> None:
    """Keep so many receivers running until SIGTERM or SIGINT, then stop them; `say` gets each line they print.

    Raises PortTaken.
    """
    check_free(bind, grpc_port, variable="AXONIZE_OTLP_GRPC_PORT")
    check_free(bind, http_port, variable="AXONIZE_OTLP_HTTP_PORT")
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    where = ("--bind", bind, "--grpc-port", str(grpc_port), "--http-port", str(http_port))
    command = (sys.executable, "manage.py", "receive_otlp", "--processes", "1", "--share-ports", *where)
    supervisor = Supervisor(say)
    supervisor.start([
        Part(f"receiver {number}", command, answers=lambda: True, stop_grace_seconds=STOP_GRACE_SECONDS)
        for number in range(1, count + 1)
    ])  # fmt: skip
    await stop.wait()
    await supervisor.stop(within_seconds=STOP_SECONDS)
