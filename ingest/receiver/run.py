"""A receiver process: both transports in one event loop, from its ports to its last sealed batch."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable

import grpc.aio

from axonize import tls
from ingest.receiver import grpc as otlp_grpc, http as otlp_http, memory
from ingest.receiver.admission import Admission
from ingest.receiver.offering import Offering

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
PORT_TRIES = 100
PORT_PAUSE_SECONDS = 0.05


class PortTaken(Exception):
    """A port is not free to listen on."""


async def receive(*, bind: str, grpc_port: int, http_port: int) -> None:
    """Receive until SIGTERM or SIGINT: then take no more, answer what is under way, seal the open batch, return.

    Raises PortTaken, and StartRefused where a file that a TLS setting names is not as it should be.
    """
    certificates = tls.configured()
    memory.give_back_what_is_freed()
    memory.make_collections_quick()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    with listen(bind, http_port) as http_socket:
        offering, admission = Offering(), Admission()

        def grpc_server() -> grpc.aio.Server:
            server = otlp_grpc.server(offering, admission)
            add_port(server, address(bind, grpc_port), certificates)
            return server

        try:
            first_grpc_server = grpc_server()
        except RuntimeError as error:
            raise PortTaken(
                f"Port {grpc_port} on {bind} is taken; set AXONIZE_OTLP_GRPC_PORT to a free one."
            ) from error
        http_server = otlp_http.server(
            offering,
            admission,
            host=bind,
            port=http_port,
            tls=tls.server_context(certificates) if certificates else None,
        )
        await first_grpc_server.start()
        grpc_task = asyncio.create_task(keep_serving(first_grpc_server, grpc_server, stop))
        http_task = asyncio.create_task(http_server.serve(sockets=[http_socket]))
        seal_task = asyncio.create_task(offering.seal_by_age(stop))
        logger.info(
            "OTLP/gRPC on %s, OTLP/HTTP on %s%s",
            address(bind, grpc_port), address(bind, http_port), ", both with TLS" if certificates else "",
        )  # fmt: skip
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({grpc_task, http_task, seal_task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        logger.info("Stopping: no more requests, then the open batch is sealed")
        stop.set()
        http_server.should_exit = True
        results = await asyncio.gather(grpc_task, http_task, seal_task, return_exceptions=True)
        await offering.close()
        for result in results:
            if isinstance(result, Exception):
                raise result


async def keep_serving(server: grpc.aio.Server, another: Callable[[], grpc.aio.Server], stop: asyncio.Event) -> None:
    """Keep a started gRPC server going until told to stop, then let it answer what is under way.

    grpc.aio's server ends at a call whose method is not UTF-8, which any client can send; another takes its place.
    Raises RuntimeError where the port is not to be had again.
    """
    stopped = asyncio.create_task(stop.wait())
    while True:
        ended = asyncio.create_task(server.wait_for_termination())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await server.stop(GRACE_SECONDS)
            await asyncio.wait({ended})
            return
        logger.error("The gRPC server ended and is started again: %s", ended.exception())
        await server.stop(None)
        server = await started_again(another)


async def started_again(another: Callable[[], grpc.aio.Server]) -> grpc.aio.Server:
    """Return another server once the port of the one before is free. Raises RuntimeError where it isn't in time."""
    for _ in range(PORT_TRIES):
        with contextlib.suppress(RuntimeError):
            server = another()
            await server.start()
            return server
        await asyncio.sleep(PORT_PAUSE_SECONDS)
    raise RuntimeError("The port of the gRPC server is not to be had again.")


def add_port(grpc_server: grpc.aio.Server, where: str, certificates: tls.Tls | None) -> None:
    """Have a server listen. Raises RuntimeError where the port is taken."""
    if certificates is None:
        grpc_server.add_insecure_port(where)
        return
    client_ca = certificates.client_ca
    credentials = grpc.ssl_server_credentials(
        [(certificates.key.read_bytes(), certificates.certificate.read_bytes())],
        root_certificates=client_ca.read_bytes() if client_ca else None,
        require_client_auth=client_ca is not None,
    )
    grpc_server.add_secure_port(where, credentials)


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
