"""The receiver with TLS: real clients that know its authority, and ones that don't."""

import socket
import ssl
import urllib.error
import warnings
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import redis
import requests
import trustme
from clickhouse_connect.driver import Client
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from tests.conftest import Drain
from tests.engines import free_ports
from tests.otlp import request, span
from tests.otlp_clients import PROTOBUF, export_grpc, post
from tests.processes import Process, running
from tests.stored import names, queued


class Authority:
    """Who signs, and the files that it made."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        self.certificate = directory / "ca.pem"
        self.server_key, self.server_certificate = directory / "server.key", directory / "server.pem"
        self.client_key, self.client_certificate = directory / "client.key", directory / "client.pem"
        authority.cert_pem.write_to_path(str(self.certificate))
        for issued, key, certificate in (
            (authority.issue_cert("localhost", "127.0.0.1"), self.server_key, self.server_certificate),
            (authority.issue_cert("client@tests.example"), self.client_key, self.client_certificate),
        ):
            issued.private_key_pem.write_to_path(str(key))
            for number, pem in enumerate(issued.cert_chain_pems):
                pem.write_to_path(str(certificate), append=number > 0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def no_authorities_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the requests library would put before the exporter's own certificate_file."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ports() -> tuple[int, int]:
    grpc_port, http_port = free_ports(2)
    return grpc_port, http_port


def receiver(ports: tuple[int, int], authority: Authority, *, ask_clients: bool) -> Iterator[Process]:
    env = {
        "AXONIZE_TLS_CERT_FILE": str(authority.server_certificate),
        "AXONIZE_TLS_KEY_FILE": str(authority.server_key),
        "AXONIZE_TLS_CLIENT_CA_FILE": str(authority.certificate) if ask_clients else "",
    }
    command = ("manage.py", "receive_otlp", "--grpc-port", str(ports[0]), "--http-port", str(ports[1]))
    with running(*command, env=env, until="both with TLS") as process:
        yield process


@pytest.fixture
def with_tls(ports: tuple[int, int], authority: Authority, queue: redis.Redis) -> Iterator[Process]:  # noqa: ARG001
    yield from receiver(ports, authority, ask_clients=False)


@pytest.fixture
def with_client_authority(
    ports: tuple[int, int],
    authority: Authority,
    queue: redis.Redis,  # noqa: ARG001  emptied
) -> Iterator[Process]:
    yield from receiver(ports, authority, ask_clients=True)


def exporters(ports: tuple[int, int], authority: Authority, *, with_certificate: bool) -> list[SpanExporter]:
    key, certificate = authority.client_key, authority.client_certificate
    credentials = grpc.ssl_channel_credentials(
        authority.certificate.read_bytes(),
        key.read_bytes() if with_certificate else None,
        certificate.read_bytes() if with_certificate else None,
    )
    return [
        GrpcSpanExporter(endpoint=f"https://localhost:{ports[0]}", credentials=credentials),
        HttpSpanExporter(
            endpoint=f"https://localhost:{ports[1]}/v1/traces",
            certificate_file=str(authority.certificate),
            client_key_file=str(key) if with_certificate else None,
            client_certificate_file=str(certificate) if with_certificate else None,
        ),
    ]


def export(exporter: SpanExporter, name: str) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tests").start_as_current_span(name):
        pass
    provider.shutdown()


@pytest.mark.usefixtures("with_tls")
def test_the_sdk_delivers_over_tls(
    ports: tuple[int, int], authority: Authority, drain: Drain, clickhouse: Client
) -> None:
    for exporter in exporters(ports, authority, with_certificate=False):
        export(exporter, "safe")
    drain()
    assert names(clickhouse) == ["safe", "safe"]


@pytest.mark.usefixtures("with_client_authority")
def test_the_sdk_delivers_with_a_certificate_of_its_own(
    ports: tuple[int, int], authority: Authority, drain: Drain, clickhouse: Client
) -> None:
    for exporter in exporters(ports, authority, with_certificate=True):
        export(exporter, "known")
    drain()
    assert names(clickhouse) == ["known", "known"]


@pytest.mark.usefixtures("with_client_authority")
def test_who_shows_no_certificate_is_not_let_in(
    ports: tuple[int, int], authority: Authority, queue: redis.Redis
) -> None:
    credentials = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
    channel = grpc.secure_channel(f"localhost:{ports[0]}", credentials)
    with channel, pytest.raises(grpc.RpcError) as refusal:
        channel.unary_unary("/any/Method", None, None)(b"", timeout=5)
    assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(f"https://localhost:{ports[1]}/v1/traces", verify=str(authority.certificate), timeout=5)
    assert queued(queue) == []


@pytest.mark.usefixtures("with_tls")
def test_plain_text_is_not_let_in(ports: tuple[int, int], queue: redis.Redis) -> None:
    body = request(span()).SerializeToString()
    with pytest.raises(grpc.RpcError):
        export_grpc(body, port=ports[0])
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        post(body, PROTOBUF, port=ports[1])
    assert queued(queue) == []


@pytest.mark.usefixtures("with_tls")
def test_old_versions_of_tls_are_not_spoken(ports: tuple[int, int], authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    for port in ports:
        with pytest.raises(ssl.SSLError):
            connect(context, port)


def connect(context: ssl.SSLContext, port: int) -> None:
    with socket.create_connection(("localhost", port), timeout=5) as plain:
        context.wrap_socket(plain, server_hostname="localhost").close()
