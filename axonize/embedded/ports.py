"""The ports of the stack: a taken one is told before anything is started."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass


class PortTakenError(Exception):
    """A port can't be listened on; the message says which setting to change."""


@dataclass(frozen=True)
class Port:
    """A port that some part is going to listen on."""

    setting: str
    """The environment variable that sets it."""
    bind: str
    number: int


def check(ports: Iterable[Port]) -> None:
    """Make sure that every port is free, and that no two are the same.

    Raises:
        PortTakenError: one is not.

    """
    seen: dict[int, str] = {}
    for port in ports:
        if port.number in seen:
            raise PortTakenError(
                f"{seen[port.number]} and {port.setting} are both {port.number}: set one to another port."
            )
        seen[port.number] = port.setting
        try:
            _try(port)
        except OSError as error:
            raise PortTakenError(
                f"Port {port.number} on {port.bind} can't be listened on ({error.strerror}): stop what uses it, "
                f"or set {port.setting} to another port."
            ) from None


def _try(port: Port) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(
        port.bind, port.number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)


def host_to_reach(bind: str) -> str:
    """Return the address at which a listener on ``bind`` is reached from this machine, in brackets for IPv6.

    >>> host_to_reach("0.0.0.0"), host_to_reach("::")
    ('127.0.0.1', '[::1]')
    """
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 - not bound, replaced
    return f"[{host}]" if ":" in host else host
