"""A receiver process: both transports in one event loop, from its ports to its last sealed batch."""

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Any

import grpc.aio

from axonize import tls
from axonize.metrics import reporter
from ingest.receiver import grpc as otlp_grpc, http as otlp_http, memory
from ingest.receiver.admission import Admission
from ingest.receiver.grpc_health import Health
from ingest.receiver.offering import Offering
from ingest.receiver.ports import address, check_free, listen
from ingest.receiver.readiness import Readiness

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
GRPC_SERVERS = 2  # on one port, for either may end; see keep_serving


async def receive(*, bind: str, grpc_port: int, http_port: int, share_ports: bool = False) -> None:
    """Receive until SIGTERM or SIGINT: then take no more, answer what is under way, seal the open batch, return.

    With `share_ports` further receivers of the same user may listen on the same two ports.
    Raises PortTaken, and StartRefused where a file that a TLS setting names is not as it should be.
    """
    certificates = tls.configured()
    memory.give_back_what_is_freed()
    memory.make_collections_quick()
    reporter.start("receiver")
    stop = asyncio.Event()
    readiness = Readiness()

    def begin_to_stop() -> None:
        readiness.stopping()  # first, so that who balances load sends no more while calls are still answered
        stop.set()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(quietly)
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, begin_to_stop)
    check_free(bind, grpc_port, variable="AXONIZE_OTLP_GRPC_PORT", shared=share_ports)
    with listen(bind, http_port, variable="AXONIZE_OTLP_HTTP_PORT", shared=share_ports) as http_socket:
        offering = Offering()
        admission = Admission(offering.require_open)
        health = Health(readiness, frozenset({otlp_grpc.SERVICE}))

        def grpc_server() -> grpc.aio.Server:
            server = otlp_grpc.server(offering, admission, health)
            add_port(server, address(bind, grpc_port), certificates)
            return server

        http_server = otlp_http.server(
            offering,
            admission,
            readiness,
            host=bind,
            port=http_port,
            tls=tls.server_context(certificates) if certificates else None,
        )
        grpc_servers = [grpc_server() for _ in range(GRPC_SERVERS)]
        for server in grpc_servers:
            await server.start()
        grpc_tasks = [asyncio.create_task(keep_serving(server, grpc_server, stop)) for server in grpc_servers]
        http_task = asyncio.create_task(http_server.serve(sockets=[http_socket]))
        seal_task = asyncio.create_task(offering.seal_by_age(stop))
        readiness_task = asyncio.create_task(readiness.watch(stop))
        logger.info(
            "OTLP/gRPC on %s, OTLP/HTTP on %s%s",
            address(bind, grpc_port), address(bind, http_port), ", both with TLS" if certificates else "",
        )  # fmt: skip
        stopped = asyncio.create_task(stop.wait())
        tasks = (*grpc_tasks, http_task, seal_task, readiness_task)
        await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        logger.info("Stopping: no more requests, then the open batch is sealed")
        begin_to_stop()
        http_server.should_exit = True
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await offering.close()
        readiness.heartbeat.remove()
        for result in results:
            if isinstance(result, Exception):
                raise result


async def keep_serving(server: grpc.aio.Server, another: Callable[[], grpc.aio.Server], stop: asyncio.Event) -> None:
    """Keep a started gRPC server going until told to stop, then let it answer what is under way.

    grpc.aio's server ends at a call whose method is not UTF-8, which any client can send; another takes its place, and
    meanwhile the other one that shares its port takes the connections. Raises RuntimeError where the port is lost.
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
        server = another()
        await server.start()


def quietly(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leave out what gRPC's ended server leaves behind; `keep_serving` has told of it."""
    if not isinstance(context.get("exception"), UnicodeDecodeError):
        loop.default_exception_handler(context)


def add_port(grpc_server: grpc.aio.Server, where: str, certificates: tls.Tls | None) -> None:
    """Have a server listen. Raises RuntimeError where it can't."""
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
