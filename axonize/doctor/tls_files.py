"""The certificate: its files, who may read the key, and for how long it is good yet."""

import ssl
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from axonize import tls
from axonize.doctor.finding import Check, Finding, fail, ok, warn
from axonize.start import StartRefused

WARN_DAYS: Final = 21
DAY_SECONDS: Final = 86_400
NOT_YET_VALID, EXPIRED = 9, 10  # X509_V_ERR_… of OpenSSL
RENEW: Final = "Renew the certificate; the web process takes it by itself, the receiver at its next start."


def certificate() -> Iterator[Finding]:
    """Look at what AXONIZE_TLS_CERT_FILE and AXONIZE_TLS_KEY_FILE name."""
    try:
        files = tls.configured()
    except StartRefused as error:
        yield fail("The files of TLS are not as they should be.", str(error))
        return
    if files is None:
        yield ok("No certificate is set.")
        return
    yield _validity(files)
    if files.key.stat().st_mode & stat.S_IROTH:
        yield warn(f"Anybody on this machine can read {files.key}.", f"Run `chmod o-rwx {files.key}`.")


def _validity(files: tls.Tls) -> Finding:
    try:
        until_s = not_after_s(files)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == EXPIRED:
            return fail("The certificate has expired.", RENEW)
        if error.verify_code == NOT_YET_VALID:
            return fail("The certificate is not valid yet.", "Look at this machine's clock, and at the certificate.")
        return warn(f"The certificate can't be verified: {error.verify_message}.", RENEW)
    days = (until_s - time.time()) / DAY_SECONDS
    if days < WARN_DAYS:
        return warn(f"The certificate expires in {days:.1f} days.", RENEW)
    return ok(f"The certificate is good for {days:.0f} days.")


def not_after_s(files: tls.Tls) -> float:
    """Return when the certificate ends, as seconds since 1970, by shaking hands with ourselves in memory.

    Only of a certificate that it verifies does Python tell the contents; so it trusts this one.
    Raises ssl.SSLCertVerificationError.
    """
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client_context.load_verify_locations(Path(files.certificate))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = tls.server_context(files, ask_clients=False).wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    contents = client.getpeercert() or {}
    return ssl.cert_time_to_seconds(str(contents["notAfter"]))


CHECKS: Final[dict[str, Check]] = {"TLS": certificate}
