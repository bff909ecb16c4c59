"""TLS by setting: what the files must be, and the web process, the probes and the whole stack with them."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPSConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme
from pytest_django import Settings

from axonize import tls
from axonize.embedded.engines import http_answers
from axonize.embedded.stack import Stack
from axonize.start import StartRefused
from tests.engines import free_ports, ports_of_a_stack
from tests.health import PARTS, health
from tests.processes import Process, running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the variables of a server with a certificate whose clients of OTLP must show one too."""
    directory = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    paths = {name: directory / f"{name}.pem" for name in ("CERT", "KEY", "CLIENT_CA")}
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(paths["CERT"]), append=number > 0)
    issued.private_key_pem.write_to_path(str(paths["KEY"]))
    authority.cert_pem.write_to_path(str(paths["CLIENT_CA"]))
    return {f"AXONIZE_TLS_{name}_FILE": str(path) for name, path in paths.items()}


def use(settings: Settings, files: dict[str, str]) -> None:
    for name in ("CERT", "KEY", "CLIENT_CA"):
        setattr(settings, f"TLS_{name}_FILE", files.get(f"AXONIZE_TLS_{name}_FILE", ""))


def test_without_files_there_is_no_tls() -> None:
    assert tls.configured() is None


def test_the_files_of_the_settings_are_used(settings: Settings, files: dict[str, str]) -> None:
    use(settings, files)
    configured = tls.configured()
    assert configured is not None
    assert str(configured.client_ca) == files["AXONIZE_TLS_CLIENT_CA_FILE"]
    asking, open_to_all = (tls.server_context(configured, ask_clients=asks) for asks in (True, False))
    assert (asking.verify_mode, open_to_all.verify_mode) == (ssl.CERT_REQUIRED, ssl.CERT_NONE)
    assert asking.minimum_version == ssl.TLSVersion.TLSv1_2


CERT, KEY, CLIENT_CA = "AXONIZE_TLS_CERT_FILE", "AXONIZE_TLS_KEY_FILE", "AXONIZE_TLS_CLIENT_CA_FILE"


@pytest.mark.parametrize("alone", [CERT, KEY, CLIENT_CA])
def test_half_of_it_is_refused(settings: Settings, files: dict[str, str], alone: str) -> None:
    use(settings, {alone: files[alone]})
    with pytest.raises(StartRefused, match=f"^TLS needs both {CERT} and {KEY}: set the other one, or none.$"):
        tls.configured()


@pytest.mark.parametrize("missing", [CERT, KEY, CLIENT_CA])
def test_a_file_that_is_not_there_is_named(settings: Settings, files: dict[str, str], missing: str) -> None:
    use(settings, {**files, missing: "/nowhere/a.pem"})
    sentence = (
        rf"^{missing} names /nowhere/a.pem, which can't be read \(No such file or directory\): name another file.$"
    )
    with pytest.raises(StartRefused, match=sentence):
        tls.configured()


@pytest.mark.parametrize(
    ("wrong", "content"),
    [(CERT, "no PEM"), (KEY, "no PEM"), (CLIENT_CA, "no PEM"), (CERT, "another"), (KEY, "another")],
)
def test_a_file_that_does_not_fit_is_refused(
    settings: Settings, files: dict[str, str], tmp_path: Path, wrong: str, content: str
) -> None:
    path = tmp_path / "wrong.pem"
    path.write_text("this is no PEM")
    if content == "another":
        other = trustme.CA().issue_cert("localhost")
        (other.cert_chain_pems[0] if wrong == CERT else other.private_key_pem).write_to_path(str(path))
    use(settings, {**files, wrong: str(path)})
    with pytest.raises(StartRefused, match="must be certificates in PEM form and the key of the first"):
        tls.configured()


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(
    settings: Settings, files: dict[str, str], tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - trustme's own, for this test alone

    key = serialization.load_pem_private_key(Path(files[KEY]).read_bytes(), None)
    path = tmp_path / "locked.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    use(settings, {**files, KEY: str(path)})
    with pytest.raises(StartRefused, match="without a password"):
        tls.configured()


def test_the_addresses_say_https(settings: Settings, files: dict[str, str]) -> None:
    use(settings, files)
    addresses = Stack.configured({}, engines_only=False).addresses
    assert addresses["web"] == f"https://127.0.0.1:{settings.WEB_PORT}"
    assert addresses["OTLP HTTP"] == f"https://127.0.0.1:{settings.OTLP_HTTP_PORT}"
    assert addresses["OTLP gRPC"] == f"127.0.0.1:{settings.OTLP_GRPC_PORT} (TLS)"


def healthz(port: int, context: ssl.SSLContext) -> tuple[int, str]:
    connection = HTTPSConnection("localhost", port, context=context, timeout=10)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["Strict-Transport-Security"]
    finally:
        connection.close()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def web(files: dict[str, str]) -> Iterator[int]:
    """Serve by gunicorn, with the certificate; yields the port."""
    [port] = free_ports(1)
    env = {**files, "AXONIZE_WEB_PORT": str(port)}
    with running("-m", "gunicorn", "axonize.wsgi", "--log-level=info", env=env, until="Booting worker") as process:
        yield port
    assert "Traceback" not in process.output


def test_the_web_process_speaks_tls_and_asks_no_browser_for_a_certificate(web: int, trusting: ssl.SSLContext) -> None:
    assert healthz(web, trusting) == (200, "max-age=31536000; includeSubDomains; preload")
    assert http_answers(f"https://127.0.0.1:{web}/healthz"), "the supervisor's probe trusts its own machine"
    assert not http_answers(f"http://127.0.0.1:{web}/healthz")


def test_an_old_protocol_is_refused(web: int, trusting: ssl.SSLContext) -> None:
    trusting.minimum_version = ssl.TLSVersion.TLSv1_2
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    assert healthz(web, trusting)[0] == 200
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        trusting.minimum_version = trusting.maximum_version = ssl.TLSVersion.TLSv1_1
    trusting.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        healthz(web, trusting)


def test_clients_that_are_slow_to_shake_hands_hold_up_nobody(web: int, trusting: ssl.SSLContext) -> None:
    with ExitStack() as stack:
        for _ in range(64):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", web)))
            slow.sendall(b"\x16\x03\x01")  # the first bytes of a ClientHello
        assert healthz(web, trusting)[0] == 200


def test_the_web_process_tells_wrong_files_in_one_sentence() -> None:
    process = Process("-m", "gunicorn", "axonize.wsgi", env={CERT: "/nowhere/a.pem", KEY: "/nowhere/b.pem"})
    assert process.wait() != 0
    assert process.output == (
        f"{CERT} names /nowhere/a.pem, which can't be read (No such file or directory): name another file.\n"
    )


def test_the_whole_stack_comes_up_with_tls_and_a_client_authority(
    files: dict[str, str], trusting: ssl.SSLContext
) -> None:
    ports = ports_of_a_stack()
    with TemporaryDirectory(prefix="axonize-") as directory:
        env = {**files, "AXONIZE_DATA_DIR": directory, **ports}
        with running("manage.py", "up", env=env, until="ready  ", timeout_s=90) as process:
            web = int(ports["AXONIZE_WEB_PORT"])
            assert f"ready  web: https://127.0.0.1:{web}  " in process.output
            assert healthz(web, trusting)[0] == 200
            for part in PARTS:
                assert health(part, env=env)[0] == 0, "no probe needs a certificate"
        assert "ended with" not in process.output
