"""Who is on this machine and who is not: the one line between asking for no key and asking for one."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether a host, or a peer's address, is this machine alone; of names only localhost is."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def needs_key(peer: str, *, required: bool, forwarded: bool = False) -> bool:
    """Tell whether a request must carry an API key.

    Args:
        peer: the address that the connection comes from.
        required: AXONIZE_REQUIRE_API_KEY.
        forwarded: a proxy handed the request on, so the peer is not who asks.

    """
    return required or forwarded or not is_loopback(peer)
