"""Requests to the embedded ClickHouse beside one another: at once, in sessions, abandoned."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from django.conf import settings

from tests.embedded.asking import ask
from tests.embedded.conftest import Connect
from tests.processes import wait_until


def running(client: Client, word: str) -> int:
    """How many queries run that have the word in them."""
    result = client.query(
        "SELECT count() FROM system.processes WHERE position(query, {word:String}) > 0"
        " AND query NOT LIKE '%system.processes%'",
        parameters={"word": word},
    )
    return int(result.result_rows[0][0])


def test_requests_run_at_the_same_time(client: Client) -> None:
    count = 8
    with ThreadPoolExecutor(count) as pool:
        replies = [pool.submit(ask, b"SELECT sleep(3), 'together'") for _ in range(count)]
        wait_until(lambda: running(client, "together") == count)
    assert [reply.result().status for reply in replies] == [200] * count


def test_a_session_keeps_temporary_tables_and_settings(client: Client, connect: Connect) -> None:
    client.command("CREATE TEMPORARY TABLE mine (n UInt8)")
    client.insert("mine", [[1], [2]], column_names=["n"])
    client.command("SET max_block_size = 777")
    client.query("SELECT 1", settings={"max_block_size": 888})
    assert client.query("SELECT sum(n), getSetting('max_block_size') FROM mine").result_rows == [(3, 777)]
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        connect().query("SELECT * FROM mine")


def test_a_session_in_use_is_locked(client: Client) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, b"SELECT sleep(2), 'holding'", session_id="shared")
        wait_until(lambda: running(client, "holding") == 1)
        refused = ask(b"SELECT 1", session_id="shared")
        assert first.result().status == 200
    assert (refused.status, refused.headers["x-clickhouse-exception-code"]) == (500, "373")
    assert ask(b"SELECT 1", session_id="shared").status == 200


@pytest.mark.usefixtures("engines")
def test_a_session_ends_when_nobody_used_it_for_its_time() -> None:
    assert ask(b"CREATE TEMPORARY TABLE brief (n UInt8)", session_id="brief", session_timeout="0").status == 200
    assert ask(b"SELECT * FROM brief", session_id="brief").status == 404


@pytest.mark.parametrize(
    "query",
    ["SELECT sum(sipHash64(number)), 'abandoned' FROM numbers(1e13)", "SELECT number, 'abandoned' FROM numbers(1e13)"],
    ids=["before its first row", "in the middle of its rows"],
)
def test_a_query_ends_when_its_client_goes_away(client: Client, query: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", settings.CLICKHOUSE_PORT, timeout=30)) as connection:
        connection.request("POST", "/", query)
        wait_until(lambda: running(client, "abandoned") == 1)
    wait_until(lambda: running(client, "abandoned") == 0)


def test_an_insert_whose_body_never_ended_is_not_run(client: Client, database: str) -> None:
    client.command("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    url = f"/?database={database.replace(' ', '+')}&query=INSERT+INTO+t+FORMAT+TSV"
    with closing(http.client.HTTPConnection("127.0.0.1", settings.CLICKHOUSE_PORT, timeout=30)) as connection:
        connection.putrequest("POST", url)
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"1\n2\n3\n")
    assert ask(b"SELECT count() FROM t", database=database).body == b"0\n"
