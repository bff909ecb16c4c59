"""The receiver's ports: free before it begins, shared only where it is told so."""

import socket
from typing import Final

BACKLOG: Final = 1024


class PortTaken(Exception):
    """A port is not free to listen on."""


def listen(bind: str, port: int, *, variable: str, shared: bool = False) -> socket.socket:
    """Return a listening socket.

    Args:
        bind: the address.
        port: the port.
        variable: the setting that names the port, for the error.
        shared: let other sockets of the same user listen there too, if they are shared as well.

    Raises:
        PortTaken: another one listens there.

    """
    listener = bound(bind, port, variable=variable, shared=shared)
    listener.listen(BACKLOG)
    return listener


def check_free(bind: str, port: int, *, variable: str, shared: bool = False) -> None:
    """Make sure that a port can be listened on, for gRPC would share it with whoever is there. Raises PortTaken."""
    bound(bind, port, variable=variable, shared=shared).close()


def bound(bind: str, port: int, *, variable: str, shared: bool) -> socket.socket:
    """Return a socket that has its address and takes no connections yet. Raises PortTaken."""
    listener = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
    try:
        listener.bind((bind, port))
    except OSError as error:
        listener.close()
        raise PortTaken(f"Port {port} on {bind} is taken; set {variable} to a free one.") from error
    return listener


def address(bind: str, port: int) -> str:
    """Return host:port, an IPv6 host in brackets."""
    return f"[{bind}]:{port}" if ":" in bind else f"{bind}:{port}"
