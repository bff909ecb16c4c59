"""Ports for a stack of its own, beside whatever else runs on this machine."""

import socket
from collections.abc import Mapping

VARIABLES = ("AXONIZE_WEB_PORT", "AXONIZE_OTLP_GRPC_PORT", "AXONIZE_OTLP_HTTP_PORT", "AXONIZE_CLICKHOUSE_PORT")


def free_ports() -> Mapping[str, int]:
    """Return a free loopback port for each variable that names one."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in VARIABLES]
    try:
        return {name: each.getsockname()[1] for name, each in zip(VARIABLES, listeners, strict=True)}
    finally:
        for listener in listeners:
            listener.close()
