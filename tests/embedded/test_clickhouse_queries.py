"""Queries to the embedded ClickHouse through clickhouse-connect, a client that nobody here wrote."""

import datetime as dt
import decimal
import http.client
import ipaddress
import json
import uuid
from typing import Any

import pytest
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from tests.embedded.asking import ask


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("UInt8", 255),
        ("Int64", -(2**63)),
        ("UInt64", 2**64 - 1),
        ("Int256", -(2**255)),
        ("Float64", 1.5e300),
        ("Decimal(38, 10)", decimal.Decimal("-12345678901234567.0000000001")),
        ("Bool", True),
        ("String", ""),
        ("String", 'it\'s "quoted", \\ back, \t tab, \n line, ; semicolon, {a:UInt8}, -- no comment, ünïcode 🎈'),
        ("FixedString(3)", b"a\0b"),
        ("LowCardinality(String)", "low"),
        ("UUID", uuid.UUID("00000000-0000-4000-8000-000000000001")),
        ("Date", dt.date(2026, 2, 28)),
        ("IPv4", ipaddress.IPv4Address("127.0.0.1")),
        ("IPv6", ipaddress.IPv6Address("::1")),
        ("Array(String)", ["a", "it's", "\\", "tab\t"]),
        ("Array(Array(UInt32))", [[1], [], [2, 3]]),
        ("Tuple(String, UInt8)", ("a", 1)),
        ("Nullable(String)", None),
        ("Nullable(String)", "\\N"),
        ("Nullable(UInt64)", None),
        ("Array(Nullable(String))", ["a", None]),
    ],
)
def test_a_bound_parameter_comes_back_as_it_was_given(client: Client, kind: str, value: object) -> None:
    result = client.query(f"SELECT {{value:{kind}}} AS value, toTypeName(value)", parameters={"value": value})
    assert result.result_rows == [(value, kind)]


def test_a_time_keeps_its_nanoseconds(client: Client) -> None:
    result = client.query(
        "SELECT toString({at:DateTime64(9, 'UTC')}), toUnixTimestamp64Nano({at:DateTime64(9, 'UTC')})",
        parameters={"at": "2026-02-07 10:00:00.123456789"},
    )
    assert result.result_rows == [("2026-02-07 10:00:00.123456789", 1770458400123456789)]


def test_a_missing_parameter_is_named(client: Client) -> None:
    with pytest.raises(DatabaseError, match="Substitution `value` is not set") as raised:
        client.query("SELECT {value:UInt8}", parameters={"other": 1})
    assert raised.value.code == 456


def test_parameters_too_long_for_a_url_travel_in_a_form(client: Client) -> None:
    ids = [f"{number:032x}" for number in range(3000)]
    result = client.query("SELECT length({ids:Array(String)}), {ids:Array(String)}[3000]", parameters={"ids": ids})
    assert result.result_rows == [(3000, ids[-1])]


def test_settings_hold_for_their_request_alone(client: Client) -> None:
    threads = "SELECT getSetting('max_threads')"
    usual = client.query(threads).first_row
    assert client.query(threads, settings={"max_threads": 1}).first_row == (1,)
    assert client.query(threads).first_row == usual


def test_a_setting_of_many_lines_and_quotes_arrives_whole(client: Client) -> None:
    text = 'syntax = "proto3";\nmessage A {\n\tstring b = 1; // it\'s \\ here\n}\n'
    assert client.query("SELECT getSetting('format_schema')", settings={"format_schema": text}).result_rows == [(text,)]


def test_an_unknown_setting_is_refused(client: Client) -> None:
    reply = ask(b"SELECT 1", no_such_setting="1")
    assert reply.status == 404
    assert reply.body.startswith(b"Code: 115. DB::Exception: Unknown setting 'no_such_setting'")
    assert client.query("SELECT 1").result_rows == [(1,)]


@pytest.mark.usefixtures("engines")
def test_a_settings_name_can_not_smuggle_sql() -> None:
    smuggling: dict[str, Any] = {"max_threads = 1, readonly": "2"}
    reply = ask(b"SELECT 1", **smuggling)
    assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (404, "115")


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize(
    ("query", "status", "code", "name"),
    [
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("SELECT * FROM no_such_table", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT * FROM no_such_database.t", 404, 81, "UNKNOWN_DATABASE"),
        ("SELECT no_such_column", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT no_such_function(1)", 404, 46, "UNKNOWN_FUNCTION"),
        ("SELECT 1 FORMAT NoSuchFormat", 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT throwIf(number = 3) FROM numbers(9)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        (
            "SELECT sum(sipHash64(number)) FROM numbers(1e12) SETTINGS max_execution_time=0.2",
            408,
            159,
            "TIMEOUT_EXCEEDED",
        ),
        (
            "SELECT * FROM numbers(1e9) SETTINGS max_rows_to_read=9, read_overflow_mode='throw'",
            500,
            158,
            "TOO_MANY_ROWS",
        ),
        ("INSERT INTO no_such_table FORMAT TSV\n1\n", 404, 60, "UNKNOWN_TABLE"),
    ],
)
def test_an_error_has_clickhouses_status_code_and_text(query: str, status: int, code: int, name: str) -> None:
    reply = ask(query.encode(), wait_end_of_query="1")
    assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (status, str(code))
    assert reply.body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert f"({name})".encode() in reply.body


def test_the_client_reads_code_and_name_of_an_error(client: Client) -> None:
    with pytest.raises(DatabaseError) as raised:
        client.query("SELECT * FROM no_such_table")
    assert (raised.value.code, raised.value.name) == (60, "UNKNOWN_TABLE")


def test_an_error_after_the_first_rows_is_no_complete_answer(client: Client) -> None:
    query = "SELECT number, throwIf(number = 1500000) FROM numbers(2000000) SETTINGS max_threads = 1"
    rows = 0
    with pytest.raises(StreamFailureError, match="throwIf"), client.query_rows_stream(query) as stream:  # noqa: PT012
        for _ in stream:  # any of the steps may be the one that fails
            rows += 1
    assert 0 < rows < 1_500_000
    with pytest.raises(http.client.IncompleteRead):
        ask(query.encode())


def test_the_columns_of_an_empty_answer_are_known(client: Client) -> None:
    assert client.query("SELECT 1 AS a, 'x' AS b LIMIT 0").column_names == ("a", "b")
    assert client.query("SELECT 1 AS a WHERE 0").result_rows == []


def test_millions_of_rows_stream_through(client: Client) -> None:
    with client.query_row_block_stream("SELECT number, toString(number) FROM numbers(3000000)") as stream:
        assert sum(len(block) for block in stream) == 3_000_000


def test_a_large_answer_can_be_had_whole(client: Client) -> None:
    result = client.query("SELECT number, toString(number) FROM numbers(1000000)")
    assert result.row_count == 1_000_000
    assert result.summary["result_rows"] == "1000000"


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize(
    "name", ["JSON", "TSVWithNames", "CSVWithNames", "JSONCompact", "Pretty", "XML", "Parquet", "Arrow"]
)
def test_a_format_with_a_frame_is_framed_once(name: str) -> None:
    query = b"SELECT number FROM numbers(200000)"
    whole, pieces = (ask(query, default_format=name, wait_end_of_query=flag).body for flag in "10")
    assert len(whole) > 50_000
    assert abs(len(whole) - len(pieces)) < 100  # JSON tells the time that it took
    if name == "JSON":
        assert json.loads(pieces)["rows"] == 200_000
    if name == "TSVWithNames":
        assert pieces.count(b"number") == 1


@pytest.mark.usefixtures("engines")
def test_an_answer_says_what_it_is() -> None:
    credentials = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "any", "Authorization": "Basic ZGVmYXVsdDo="}
    reply = ask(b"SELECT number FROM numbers(3)", headers=credentials, query_id="mine", default_format="CSV")
    assert (reply.status, reply.body) == (200, b"0\n1\n2\n")
    assert reply.headers["x-clickhouse-query-id"] == "mine"
    assert reply.headers["x-clickhouse-format"] == "CSV"
    assert reply.headers["x-clickhouse-timezone"] == "UTC"
    assert reply.headers["x-clickhouse-server-display-name"]
    assert json.loads(reply.headers["x-clickhouse-summary"])["read_rows"] == "3"


def test_a_get_changes_nothing(client: Client, database: str) -> None:
    reply = ask(method="GET", query="CREATE TABLE t (n UInt8) ENGINE = Memory", database=database)
    assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (500, "164")
    assert client.query("EXISTS TABLE t").result_rows == [(0,)]
    client.command("CREATE TABLE t (n UInt8) ENGINE = Memory")
    for values in ("SELECT 1", "VALUES (1)"):
        assert ask(method="GET", query=f"INSERT INTO t {values}", database=database).status == 500
    assert client.query("SELECT count() FROM t").result_rows == [(0,)]
    assert ask(method="GET", query="SELECT 1").body == b"1\n"


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("path", ["/", "/ping"])
def test_a_ping_is_answered(path: str) -> None:
    reply = ask(method="GET", path=path)
    assert (reply.status, reply.body) == (200, b"Ok.\n")


def test_dictionaries_over_tables_and_system_statements_work(client: Client, database: str) -> None:
    client.command("CREATE TABLE source (k String, v UInt64) ENGINE = MergeTree ORDER BY k")
    client.command(
        f"CREATE DICTIONARY d (k String, v UInt64) PRIMARY KEY k SOURCE(CLICKHOUSE(TABLE 'source' DB '{database}'))"
        " LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)"
    )
    for value in (1, 2):
        client.command("TRUNCATE TABLE source")
        client.command("INSERT INTO source VALUES ('a', {v:UInt64})", parameters={"v": value})
        client.command("SYSTEM RELOAD DICTIONARY d")
        assert client.query("SELECT dictGet('d', 'v', 'a')").result_rows == [(value,)]
    client.command("SYSTEM FLUSH LOGS")
