"""What was found once by many inputs, each again by one."""

import json
import time
from contextlib import suppress

import grpc
import pytest
import redis
from clickhouse_connect.driver import Client as ClickHouse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.intake import NANOSECONDS_A_DAY, MalformedRequest
from ingest.otlp_json import MAX_REASON_LENGTH, to_protobuf
from tests.conftest import Ingest
from tests.engines import free_ports
from tests.fuzz.wire import EXPORT, grpc_conversation, send_and_hang_up
from tests.otlp import SECOND_NS, gpu, request, span
from tests.processes import running, wait_until


def test_a_span_of_the_last_day_of_the_retention_stays(ingest: Ingest, clickhouse: ClickHouse) -> None:
    oldest_ns = time.time_ns() - 30 * NANOSECONDS_A_DAY + 60 * SECOND_NS
    [verdict] = ingest(request(span(start_ns=oldest_ns, duration_ns=1, attributes=gpu(0, resource_uuid="GPU-1"))))
    assert verdict.accepted_spans == 1
    for table in ("spans", "gpu_metrics", "traces"):
        clickhouse.command("OPTIMIZE TABLE {table:Identifier} FINAL", parameters={"table": table})
        count = clickhouse.command("SELECT count() FROM {table:Identifier}", parameters={"table": table})
        assert count == 1, table


@pytest.mark.usefixtures("kept_mapped_spans")
@pytest.mark.parametrize(
    ("key", "value", "column"),
    [
        ("gen_ai.response.time_to_first_chunk", 1e306, "ttft_ms"),
        ("gen_ai.latency.time_to_first_token", "1e306", "ttft_ms"),
        ("gen_ai.latency.time_in_queue", -1e306, "queue_ms"),
        ("queue_time", "9" * 400 + "s", "queue_ms"),
        ("gen_ai.latency.time_in_model_prefill", 1e308, "prefill_ms"),
        ("gen_ai.latency.time_in_model_decode", 1e308, "decode_ms"),
        ("inference_time", "9" * 307 + "s", "inference_ms"),
    ],
)
def test_a_time_too_large_for_milliseconds_is_left_null(
    ingest: Ingest, clickhouse: ClickHouse, key: str, value: object, column: str
) -> None:
    ingest(request(span(attributes={key: value})))
    [row] = clickhouse.query("SELECT * FROM kept_mapped_spans").named_results()
    assert row[column] is None


@pytest.mark.usefixtures("kept_mapped_spans")
def test_the_next_key_fills_the_column_where_a_time_is_too_large(ingest: Ingest, clickhouse: ClickHouse) -> None:
    ingest(request(span(attributes={"gen_ai.latency.time_in_queue": 1e306, "queue_time": "1.5ms"})))
    assert clickhouse.query("SELECT queue_ms FROM kept_mapped_spans").result_rows == [(1.5,)]


def span_json(text: str) -> bytes:
    return f'{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{text}]}}]}}]}}'.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "body",
    [
        span_json('{"\\ud800": 1}'),
        span_json('{"name": "\\ud800"}'),
        span_json('{"name": "\\udc00\\ud800"}'),
        span_json('{"name": "\ud800"}'),
        span_json('{"flags": "\\ud800"}'),
        span_json('{"kind": 1e400}'),
        span_json('{"flags": Infinity}'),
        span_json('{"attributes": [{"key": "k", "value": {"intValue": 1e400}}]}'),
        span_json('{"attributes": [{"key": "k", "value": {"doubleValue": ' + "9" * 400 + "}}]}"),
        span_json('{"name": "x"}').decode().encode("utf-16"),
    ],
)
def test_json_of_half_characters_and_endless_numbers_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest) as refusal:
        to_protobuf(body)
    assert str(refusal.value).encode()


def test_whole_characters_of_two_halves_are_text() -> None:
    body = span_json('{"name": "\\ud83d\\ude80"}')
    assert "🚀".encode() in to_protobuf(body)
    assert "🚀".encode() in to_protobuf(b"\xef\xbb\xbf" + body)


def test_a_refusal_does_not_send_back_all_that_came() -> None:
    with pytest.raises(MalformedRequest) as refusal:
        to_protobuf(span_json(json.dumps({"flags": "x" * 100_000})))
    assert len(str(refusal.value)) < 2 * MAX_REASON_LENGTH


def test_a_grpc_path_that_is_no_text_does_not_end_the_grpc_server(queue: redis.Redis) -> None:  # noqa: ARG001  emptied
    grpc_port, http_port = free_ports(2)
    command = ("manage.py", "receive_otlp", "--grpc-port", str(grpc_port), "--http-port", str(http_port))
    with running(*command, until="OTLP/gRPC on"):
        send_and_hang_up(grpc_port, grpc_conversation(b"").replace(b"TraceService/", b"TraceServ\x80ce/"))
        with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            export = channel.unary_unary(EXPORT, None, ExportTraceServiceResponse.FromString)
            body = request(span()).SerializeToString()

            def taken() -> bool:
                with suppress(grpc.RpcError):  # the call may meet the server that ends, and is sent again
                    return bool(export(body, timeout=10, wait_for_ready=True) == ExportTraceServiceResponse())
                return False

            wait_until(taken)
