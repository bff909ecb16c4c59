"""A receiver process: both transports in one event loop, from its ports to its last sealed batch."""

import asyncio
import logging
import signal
import socket

from ingest.receiver import grpc, http
from ingest.receiver.offering import Offering

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5.0


class PortTaken(Exception):
    """A port is not free to listen on."""


async def receive(*, bind: str, grpc_port: int, http_port: int) -> None:
    """Receive until SIGTERM or SIGINT: then take no more, answer what is under way, seal the open batch, return.

    Raises PortTaken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    with listen(bind, http_port) as http_socket:
        offering = Offering()
        grpc_server = grpc.server(offering)
        try:
            grpc_server.add_insecure_port(address(bind, grpc_port))
        except RuntimeError as error:
            raise PortTaken(
                f"Port {grpc_port} on {bind} is taken; set AXONIZE_OTLP_GRPC_PORT to a free one."
            ) from error
        http_server = http.server(offering, host=bind, port=http_port)
        await grpc_server.start()
        http_task = asyncio.create_task(http_server.serve(sockets=[http_socket]))
        seal_task = asyncio.create_task(offering.seal_by_age())
        logger.info("OTLP/gRPC on %s, OTLP/HTTP on %s", address(bind, grpc_port), address(bind, http_port))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({http_task, seal_task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        logger.info("Stopping: no more requests, then the open batch is sealed")
        stopped.cancel()
        seal_task.cancel()
        http_server.should_exit = True
        results = await asyncio.gather(grpc_server.stop(GRACE_SECONDS), http_task, seal_task, return_exceptions=True)
        await offering.close()
        for result in results:
            if isinstance(result, Exception):
                raise result


def listen(bind: str, port: int) -> socket.socket:
    """Return a listening socket. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family, backlog=1024)
    except OSError as error:
        raise PortTaken(f"Port {port} on {bind} is taken; set AXONIZE_OTLP_HTTP_PORT to a free one.") from error


def address(bind: str, port: int) -> str:
    """Return host:port, an IPv6 host in brackets."""
    return f"[{bind}]:{port}" if ":" in bind else f"{bind}:{port}"
