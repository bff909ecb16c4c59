"""What a host runs by docker-compose.yml: who gets in, what it serves and says, and how each part ends."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import grpc
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.deploy.production import HOST, PARTS, Production, production
from tests.otlp import request, span
from tests.otlp_clients import PROTOBUF, export_grpc, post
from tests.processes import wait_until

SPAN = request(span("chat")).SerializeToString()


@pytest.fixture(scope="module")
def host() -> Iterator[Production]:
    """Run all services of docker-compose.yml."""
    with production() as services:
        yield services


def ask(host: Production, path: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    """Return the status, the headers and the body of an answer, whatever it is."""
    with closing(HTTPConnection("127.0.0.1", host.web_port, timeout=20)) as connection:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def lines(host: Production, part: str) -> list[dict[str, Any]]:
    """Return what a service wrote; each line is a JSON object."""
    return [json.loads(line) for line in host.services[part].output.splitlines()]


def test_nobody_sends_or_asks_without_a_key(host: Production) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        export_grpc(SPAN, port=host.grpc_port)
    assert refusal.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert post(SPAN, PROTOBUF, port=host.http_port)[0] == 401
    for path in ("/api/v1/traces", "/metrics"):
        assert ask(host, path, host.proxied)[0] == 401
    status, headers, _ = ask(host, "/", host.proxied)
    assert (status, headers["location"]) == (302, "/admin/login/?next=/")


def test_the_demo_says_that_it_needs_a_key(host: Production) -> None:
    told = host.manage("demo", "--endpoint", f"127.0.0.1:{host.grpc_port}")
    assert told.returncode == 1
    assert "set OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20ax_…'" in told.stderr


def test_who_comes_by_http_is_sent_to_https_and_told_to_stay(host: Production) -> None:
    status, headers, _ = ask(host, "/traces", {"Host": HOST})
    assert (status, headers["location"]) == (301, f"https://{HOST}/traces")
    _, headers, _ = ask(host, "/admin/login/", host.proxied)
    assert "max-age=31536000" in headers["strict-transport-security"]
    assert re.search(r"csrftoken=.*; Secure", headers["set-cookie"])


def test_a_host_that_is_not_named_is_refused_and_probes_are_answered_over_http(host: Production) -> None:
    assert ask(host, "/admin/login/", {**host.proxied, "Host": "elsewhere.example"})[0] == 400
    assert ask(host, "/readyz", {"Host": HOST})[0] == 200


def test_the_files_of_a_page_are_named_by_their_content_and_kept_for_ever(host: Production) -> None:
    page = ask(host, "/admin/login/", host.proxied)[2].decode()
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert files
    for file in files:
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", file)
        status, headers, _ = ask(host, file, {**host.proxied, "Accept-Encoding": "gzip"})
        assert (status, headers["cache-control"]) == (200, "max-age=315360000, public, immutable")


def test_each_line_is_json_and_none_tells_a_secret(host: Production) -> None:
    assert post(SPAN, PROTOBUF | host.credentials | {"x-request-id": "order-1"}, port=host.http_port)[0] == 200
    host.get("/api/v1/traces")
    wait_until(lambda: any("order-1" in line.get("request_ids", ()) for line in lines(host, "worker")))
    for part in PARTS:
        assert all({"timestamp", "level", "logger", "event"} <= line.keys() for line in lines(host, part))
    everything = "".join(process.output for process in host.services.values())
    for secret in (host.key, *(path.read_text() for path in (host.folder / "secrets").iterdir())):
        assert secret not in everything


def test_the_doctor_finds_nothing_that_fails(host: Production) -> None:
    told = host.manage("doctor", "--json")
    assert [finding for finding in json.loads(told.stdout)["findings"] if finding["level"] == "fail"] == []
    assert told.returncode == 0


def test_one_scrape_tells_of_all_parts(host: Production) -> None:
    def processes() -> set[str]:
        page = host.fetch("/metrics").decode()
        return set(re.findall(r'axonize_process_start_time_seconds{[^}]*process="(\w+)"', page))

    wait_until(lambda: processes() >= set(PARTS), 20, lambda: str(processes()))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_not_well_any_more_when_it_hangs(host: Production, part: str) -> None:
    main = psutil.Process(host.services[part].popen.pid)
    processes = [main, *main.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        wait_until(lambda: not host.healthy(part), 60)
    finally:
        for process in processes:
            process.resume()
    host.wait_until_healthy(part)


def test_each_part_ends_in_its_stop_period_and_what_was_acknowledged_is_stored() -> None:
    with production() as host:
        for number in range(20):
            body = request(span(f"last {number}")).SerializeToString()
            export_grpc(body, port=host.grpc_port, metadata=host.credentials)
        stop(host, "receiver")
        wait_until(lambda: host.get("/api/v1/spans", limit=100)["total"] == 20)
        for part in ("worker", "beat", "web"):
            stop(host, part)


def stop(host: Production, part: str) -> None:
    """Stop a part as Compose does, by SIGTERM, and see that it needs no SIGKILL."""
    process = host.services[part]
    process.popen.terminate()
    assert process.wait(int(host.described[part]["stop_grace_period"].removesuffix("s"))) == 0, process.output
