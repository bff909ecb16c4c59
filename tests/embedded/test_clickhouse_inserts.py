"""Inserts into the embedded ClickHouse: Python's values, and bytes in every packing, arrive whole or not at all."""

import datetime as dt
import gzip
import json
import zlib
from collections.abc import Callable

import lz4.frame  # type: ignore[import-untyped]  # it ships no types
import pytest
from backports import zstd
from clickhouse_connect.driver import Client

from axonize.embedded.part import PROJECT_DIR
from tests.embedded.asking import ask
from tests.embedded.conftest import Connect

PROTO = """syntax = "proto3";
message Row {
  uint64 id = 1;
  string name = 2;
  repeated double values = 3;
}
"""


def zstd_frame(data: bytes) -> bytes:
    return zstd.compress(data, 1)


def test_rows_of_python_values_are_stored(client: Client, database: str) -> None:  # noqa: ARG001 - it must be there
    client.command(
        "CREATE TABLE t (id UInt64, s Nullable(String), at DateTime64(9, 'UTC'), l LowCardinality(String),"
        " m Map(String, String), a Array(Float64), f FixedString(8)) ENGINE = MergeTree ORDER BY id"
    )
    at = dt.datetime(2026, 2, 7, 10, 0, 0, 123456, dt.UTC)
    rows = [
        (1, None, at, "x", {"k": ";\n'\0"}, [1.5, -0.0], b"\0\1\n;\x0b\xff\xfe\0"),
        (2, "\n;\n", at, "x", {}, [], bytes(8)),
    ]
    summary = client.insert("t", rows, column_names=["id", "s", "at", "l", "m", "a", "f"])
    assert summary.written_rows == 2
    assert client.query("SELECT * FROM t ORDER BY id", tz_mode="aware").result_rows == rows


@pytest.mark.parametrize("compression", ["lz4", "zstd", "gzip", ""])
def test_compressed_inserts_of_any_size_are_stored(
    client: Client, database: str, connect: Connect, compression: str
) -> None:
    client.command("CREATE TABLE t (id UInt64, s String) ENGINE = MergeTree ORDER BY id")
    sender = connect(database=database, compress=compression or False)
    rows = [(number, "\n;'\\\0" * (number % 50)) for number in range(30_000)]
    sender.insert("t", rows[:3], column_names=["id", "s"])
    sender.insert("t", rows[3:], column_names=["id", "s"])
    assert client.query("SELECT count(), uniqExact(id), sum(length(s)) FROM t").result_rows == [
        (30_000, 30_000, sum(len(s) for _, s in rows))
    ]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("zstd", zstd_frame),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("lz4", lz4.frame.compress),
        ("", bytes),
    ],
)
@pytest.mark.parametrize("query_in", ["url", "body"])
@pytest.mark.parametrize("lines", [2, 200_000])
def test_data_arrives_whole_however_it_is_packed(
    client: Client, database: str, encoding: str, compress: Callable[[bytes], bytes], query_in: str, lines: int
) -> None:
    client.command("CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    data = b"".join(b'{"n":%d,"s":"; \\n INSERT"}\n' % number for number in range(lines))
    query = "INSERT INTO t FORMAT JSONEachRow"
    headers = {"Content-Encoding": encoding} if encoding else {}
    if query_in == "url":
        reply = ask(compress(data), headers=headers, database=database, query=query)
    else:
        reply = ask(compress(query.encode() + b"\n" + data), headers=headers, database=database)
    assert (reply.status, reply.body) == (200, b"")
    assert json.loads(reply.headers["x-clickhouse-summary"])["written_rows"] == str(lines)
    assert client.query("SELECT count(), sum(n), any(s) FROM t").result_rows == [
        (lines, lines * (lines - 1) // 2, "; \n INSERT")
    ]


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def protobuf_row(number: int) -> bytes:
    name = f"row {number}".encode()
    message = b"\x08" + varint(number) + b"\x12" + varint(len(name)) + name
    return varint(len(message)) + message


@pytest.mark.usefixtures("database")
def test_concatenated_zstd_frames_of_protobuf_are_one_insert(client: Client) -> None:
    client.command("CREATE TABLE inbox (id UInt64, name String, values Array(Float64)) ENGINE = Null")
    client.command("CREATE TABLE t (id UInt64, name String) ENGINE = MergeTree ORDER BY id")
    client.command("CREATE MATERIALIZED VIEW v TO t AS SELECT id, name FROM inbox")
    frames = [zstd_frame(b"".join(map(protobuf_row, range(start, start + 100)))) for start in range(0, 20_000, 100)]
    summary = client.raw_insert(
        "inbox",
        insert_block=b"".join(frames),
        fmt="Protobuf",
        compression="zstd",
        settings={"format_schema_source": "string", "format_schema": PROTO, "format_schema_message_name": "Row"},
    )
    assert summary.written_rows == 40_000, "as ClickHouse counts: what the view wrote is counted too"
    assert client.query("SELECT count(), sum(id), max(name) FROM t").result_rows == [(20_000, 199_990_000, "row 9999")]
    assert not (PROJECT_DIR / "__cache__").exists(), "where chDB would keep the schema by itself"


LINES = b"".join(b'{"n":%d}\n' % number for number in range(100_000))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", LINES[:-4] + b"nonsense"),
        ("zstd", zstd_frame(LINES)[:-9]),
        ("gzip", gzip.compress(LINES)[:-9]),
        ("deflate", zlib.compress(LINES)[:-9]),
        ("zstd", b"no zstd at all"),
        ("no-such-encoding", LINES),
    ],
    ids=["bad line", "short zstd", "short gzip", "short deflate", "no zstd", "unknown encoding"],
)
@pytest.mark.parametrize("query_in", ["url", "body"])
def test_a_broken_body_stores_nothing(client: Client, database: str, encoding: str, body: bytes, query_in: str) -> None:
    client.command("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    query = "INSERT INTO t FORMAT JSONEachRow"
    headers = {"Content-Encoding": encoding} if encoding else {}
    if query_in == "url":
        reply = ask(body, headers=headers, database=database, query=query)
    else:
        reply = ask(query.encode() + b"\n" + body, headers=headers, database=database)
    assert reply.status >= 400
    assert reply.body.startswith(b"Code: " + reply.headers["x-clickhouse-exception-code"].encode())
    assert client.query("SELECT count() FROM t").result_rows == [(0,)]


def test_values_may_stand_in_the_query_with_parameters(client: Client, database: str) -> None:
    client.command("CREATE TABLE t (n UInt64, format String) ENGINE = MergeTree ORDER BY n")
    client.command("INSERT INTO t (n, format) VALUES (1, 'a;b\n;c'), (2, {s:String})", parameters={"s": "it's"})
    assert ask(b"(3, 'x'), (4, lower('Y'))", database=database, query="INSERT INTO t VALUES").status == 200
    assert client.query("SELECT * FROM t ORDER BY n").result_rows == [(1, "a;b\n;c"), (2, "it's"), (3, "x"), (4, "y")]


def test_settings_may_stand_in_the_statement(client: Client, database: str) -> None:
    client.command("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    statement = b"INSERT /* FORMAT CSV */ INTO t (n) SETTINGS max_insert_threads = 1 FORMAT TSV\n"
    assert ask(statement + b"1\n2\n", database=database).status == 200
    assert client.query("SELECT sum(n) FROM t").result_rows == [(3,)]


def test_a_repeated_insert_with_its_token_changes_nothing(client: Client, database: str) -> None:
    client.command(
        "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"
    )
    for token in ("a", "a", "b"):
        query = "INSERT INTO t FORMAT JSONEachRow"
        assert ask(zstd_frame(LINES), headers={"Content-Encoding": "zstd"}, query=query, database=database,
                   insert_deduplication_token=token).status == 200  # fmt: skip
    assert client.query("SELECT count() FROM t").result_rows == [(200_000,)]
