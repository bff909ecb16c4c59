"""TLS by setting: the certificate that web and receiver show, and whose certificates the receiver asks for."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from axonize.start import StartRefused


@dataclass(frozen=True)
class Tls:
    """The PEM files of a server, each of which exists and fits."""

    certificate: Path
    """The server's certificate, and after it those of the intermediate authorities."""
    key: Path
    client_ca: Path | None
    """Who sends OTLP must show a certificate that one of these authorities signed. Browsers need none."""


def configured() -> Tls | None:
    """Return what AXONIZE_TLS_CERT_FILE, AXONIZE_TLS_KEY_FILE and AXONIZE_TLS_CLIENT_CA_FILE name; None without them.

    Raises:
        StartRefused: one of them is missing, can't be read, or does not fit the others.

    """
    names = ("AXONIZE_TLS_CERT_FILE", "AXONIZE_TLS_KEY_FILE", "AXONIZE_TLS_CLIENT_CA_FILE")
    certificate, key, client_ca = paths = (settings.TLS_CERT_FILE, settings.TLS_KEY_FILE, settings.TLS_CLIENT_CA_FILE)
    if not any(paths):
        return None
    if not (certificate and key):
        raise StartRefused("TLS needs both AXONIZE_TLS_CERT_FILE and AXONIZE_TLS_KEY_FILE: set the other one, or none.")
    for name, path in zip(names, paths, strict=True):
        if path:
            _readable(name, Path(path))
    tls = Tls(Path(certificate), Path(key), Path(client_ca) if client_ca else None)
    try:
        server_context(tls)
    except ssl.SSLError as error:
        raise StartRefused(
            "The files that AXONIZE_TLS_CERT_FILE, AXONIZE_TLS_KEY_FILE and AXONIZE_TLS_CLIENT_CA_FILE name must be "
            f"certificates in PEM form and the key of the first, without a password ({error.reason or error})."
        ) from error
    return tls


def server_context(tls: Tls, *, ask_clients: bool = True) -> ssl.SSLContext:
    """Return the context of a server: TLS 1.2 or later, and with `ask_clients` the authorities of `client_ca`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A key with a password would be asked for on the terminal, where nobody sits.
    context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    if ask_clients and tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _readable(name: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise StartRefused(
            f"{name} names {path}, which can't be read ({error.strerror}): name another file."
        ) from error
