"""A whole stack with two receivers: one scrape tells what was sent to all, whoever is killed and started again."""

import gzip
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from http.client import RemoteDisconnected
from typing import Any
from urllib.error import URLError

import grpc
import pytest

from tests.metrics.scraping import Page
from tests.metrics.test_documents import TABLE
from tests.otlp import otlp_json, request, span
from tests.otlp_clients import JSON, PROTOBUF, export_grpc, post
from tests.processes import wait_until
from tests.stack import Laptop, laptop, short_folder

RECEIVED, REFUSED = "axonize_spans_received_total", "axonize_spans_refused_total"
REQUESTS, BODIES = "axonize_receiver_requests_total", "axonize_receiver_body_bytes_total"


def scrape(stack: Laptop) -> Page:
    return Page(stack.fetch("/metrics").decode())


def take(stack: Laptop, body: bytes, headers: dict[str, str]) -> int:
    return post(body, headers, port=stack.http_port)[0]


def receivers(stack: Laptop) -> set[int]:
    labels = scrape(stack).labels("axonize_process_start_time_seconds")
    return {int(of["pid"]) for of in labels if of["process"] == "receiver"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Laptop]:
    """Run a stack with two receivers."""
    with short_folder() as folder, laptop(folder, AXONIZE_RECEIVER_PROCESSES="2") as running:
        yield running


def spans_of(count: int) -> bytes:
    return request(*[span(f"span {number}") for number in range(count)]).SerializeToString()


def bad(trace_id: bytes = b"\1" * 16, **fields: Any) -> bytes:
    return request(span("good"), span("bad", trace_id=trace_id, **fields)).SerializeToString()


def test_one_scrape_tells_what_all_receivers_took_and_refused_and_what_was_written(stack: Laptop) -> None:
    before = scrape(stack)
    over_http = [spans_of(number) for number in range(1, 21)]
    for body in over_http:  # each over a connection of its own, which either receiver gets
        assert take(stack, body, PROTOBUF) == 200
    zipped, plain = gzip.compress(spans_of(100)), spans_of(100)
    assert take(stack, zipped, PROTOBUF | {"content-encoding": "gzip"}) == 200
    json = otlp_json(request(span("json")))
    assert take(stack, json, JSON) == 200
    over_grpc = [spans_of(7) for _ in range(10)]
    for body in over_grpc:
        export_grpc(body, port=stack.grpc_port)
    faulty = [bad(bytes(16)), bad(duration_ns=-1), bad(start_ns=1)]
    for body in faulty:
        assert export_grpc(body, port=stack.grpc_port).partial_success.rejected_spans == 1
    for _ in range(2):
        assert take(stack, over_http[9], PROTOBUF) == 200  # taken before
    assert take(stack, b"no protobuf", PROTOBUF) == 400
    assert take(stack, b"", {"content-type": "text/plain"}) == 415
    with pytest.raises(grpc.RpcError):
        export_grpc(b"no protobuf", port=stack.grpc_port)

    stored = sum(range(1, 21)) + 100 + 1 + 70 + 3
    page = before

    def more(name: str, **labels: str) -> float:
        return page.total(name, **labels) - before.total(name, **labels)

    def all_told() -> bool:
        nonlocal page
        page = scrape(stack)
        return more("axonize_batch_spans_sum") == stored and more(RECEIVED) == stored + 3 + 20

    wait_until(all_told, 30, lambda: f"{more(RECEIVED)} received, {more('axonize_batch_spans_sum')} written")
    assert [more(REFUSED, reason=reason) for reason in ("trace_id", "ends_early", "too_old", "kind")] == [1, 1, 1, 0]
    assert (more("axonize_duplicate_requests_total"), more("axonize_duplicate_spans_total")) == (2, 20)
    assert [more(REQUESTS, transport="http", code=code) for code in ("200", "400", "415", "503")] == [24, 1, 1, 0]
    codes = ("OK", "INVALID_ARGUMENT", "UNAVAILABLE", "CANCELLED")
    assert [more(REQUESTS, transport="grpc", code=code) for code in codes] == [13, 1, 0, 0]
    assert more("axonize_receiver_request_duration_seconds_count", transport="grpc") == 14
    sent = sum(map(len, over_http)) + 2 * len(over_http[9]) + len(json) + len(b"no protobuf")
    assert more(BODIES, transport="http") == sent + len(plain)
    assert more("axonize_receiver_wire_bytes_total", transport="http") == sent + len(zipped)
    assert more(BODIES, transport="grpc") == sum(map(len, over_grpc + faulty)) + len(b"no protobuf")
    assert more("axonize_batches_written_total") == more("axonize_batch_write_duration_seconds_count") >= 1
    assert more("axonize_receiver_throttled_requests_total") == 0


def test_each_kind_of_process_tells_of_itself(stack: Laptop) -> None:
    wait_until(lambda: scrape(stack).total("axonize_processes") == 5, 30)
    page = scrape(stack)
    kinds = ("receiver", "worker", "beat", "web")
    assert [page.value("axonize_processes", process=kind) for kind in kinds] == [2, 1, 1, 1]
    for kind in kinds:
        assert page.value("axonize_process_cpu_seconds_total", process=kind) > 0
        assert page.total("axonize_process_resident_memory_bytes", process=kind) > 10_000_000
    assert {value for check in ("redis", "postgres", "clickhouse", "migrations")
            for value in page.values("axonize_check_ok", [("check", check)])} == {1.0}  # fmt: skip
    tasks = ("rescue", "summaries", "gpu_time", "registry_sync")
    success = "axonize_task_last_success_timestamp_seconds"
    wait_until(lambda: all(scrape(stack).value(success, task=task) for task in tasks), 30)
    assert 0 <= scrape(stack).value("axonize_registry_sync_lag_seconds") < 60


def test_a_scrape_tells_each_metric_of_the_table_with_its_labels(stack: Laptop) -> None:
    page = scrape(stack)
    assert {name: metric.type for name, metric in page.families.items()} == {
        name: kind for name, (kind, _) in TABLE.items()
    }
    for name, metric in page.families.items():
        for sample in metric.samples:
            assert sample.labels.keys() - {"le"} == set(TABLE[name][1]), sample.name


def test_what_a_killed_receiver_took_stays_counted_and_the_next_one_goes_on(stack: Laptop) -> None:
    wait_until(lambda: len(receivers(stack)) == 2, 60)
    before = scrape(stack)
    for _ in range(16):
        assert take(stack, spans_of(5), PROTOBUF) == 200
    told = before.total(RECEIVED) + 80
    wait_until(lambda: scrape(stack).total(RECEIVED) == told)

    killed, ended = sorted(receivers(stack))
    totals = [told]
    for pid, signum in ((killed, signal.SIGKILL), (ended, signal.SIGTERM)):
        starts = scrape(stack).value("axonize_process_starts_total", process="receiver")
        os.kill(pid, signum)

        def is_started(more_than: float = starts) -> bool:
            page = scrape(stack)
            totals.append(page.total(RECEIVED))
            return page.value("axonize_process_starts_total", process="receiver") > more_than

        wait_until(is_started, 60, lambda: stack.process.output)
    assert set(totals) == {told}, "neither less nor anything twice"

    def is_taken() -> bool:
        with suppress(URLError, RemoteDisconnected, ConnectionError):  # it was dealt to the one that died
            return take(stack, spans_of(5), PROTOBUF) == 200
        return False

    for _ in range(16):
        wait_until(is_taken)
    wait_until(lambda: scrape(stack).total(RECEIVED) >= told + 80, 20)
    assert scrape(stack).total(RECEIVED) == told + 80
