"""Values as the JSON texts that ClickHouse writes: what each is, and that no value can pass for another's end."""

import json

import pytest
from clickhouse_connect.driver import Client as ClickHouse

from axonize.clickhouse.errors import ClickHouseError, QueryTooLarge
from axonize.clickhouse.json_rows import bytes_of, query_json, value_of

pytestmark = pytest.mark.usefixtures("clickhouse_schema")


def test_values_are_json_texts_by_the_name_of_their_column() -> None:
    rows = query_json(
        """
        SELECT
            'a"b\\\\c/é' AS text,
            toInt64(9223372036854775807) AS integer,
            CAST(NULL, 'Nullable(Float64)') AS nothing,
            true AS truth,
            toDecimal128('0.000000000001', 12) AS decimal,
            map('k', 1.5) AS mapping,
            [['x'], []] AS arrays,
            CAST((1, 'n'), 'Tuple(number Int8, name String)') AS named,
            fromUnixTimestamp64Nano(1795396844725903317, 'UTC') AS time
        """
    )
    assert len(rows) == 1
    assert {name: values[0] for name, values in rows.columns().items()} == {
        "text": '"a\\"b\\\\c/é"'.encode(),
        "integer": b"9223372036854775807",
        "nothing": b"null",
        "truth": b"true",
        "decimal": b"0.000000000001",
        "mapping": b'{"k":1.5}',
        "arrays": b'[["x"],[]]',
        "named": b'{"number":1,"name":"n"}',
        "time": b'"2026-11-23T01:20:44.725903317Z"',
    }


@pytest.mark.parametrize(
    "number", ["0.1", "5e-324", "1.7976931348623157e308", "-0.0", "54.750076869145126", "1e21", "123456789012345680"]
)
def test_a_double_reads_back_as_the_same(number: str) -> None:
    (text,) = query_json("SELECT {number:Float64} AS value", {"number": number}).columns()["value"]
    assert float(text) == float(number)


@pytest.mark.parametrize(("number", "text"), [("nan", b'"nan"'), ("inf", b'"inf"'), ("-inf", b'"-inf"')])
def test_a_double_that_is_no_number_is_its_name(number: str, text: bytes) -> None:
    assert query_json("SELECT {number:Float64} AS value", {"number": number}).columns() == {"value": [text]}


def test_every_byte_in_a_string_comes_back_and_ends_no_value(clickhouse: ClickHouse) -> None:
    del clickhouse
    rows = query_json(
        "SELECT unhex(hex(reinterpretAsFixedString(toUInt8(number)))) AS one, 'next' AS two FROM numbers(256)"
    )
    columns = rows.columns()
    assert [bytes_of(value_of(text)) or b"\0" for text in columns["one"]] == [bytes([number]) for number in range(256)]
    assert columns["two"] == [b'"next"'] * 256
    (all_of_them,) = query_json(
        "SELECT unhex({hexadecimal:String}) AS bytes", {"hexadecimal": bytes(range(256)).hex() + "e280a8eda080"}
    ).columns()["bytes"]
    assert bytes_of(value_of(all_of_them)) == bytes(range(256)) + bytes.fromhex("e280a8eda080")


def test_rows_come_in_portions_without_loss() -> None:
    rows = query_json("SELECT number AS n, toString(number) AS text FROM numbers(10) ORDER BY number")
    portions = [rows.columns(begin, begin + 3) for begin in range(0, 12, 3)]
    assert [int(text) for portion in portions for text in portion["n"]] == list(range(10))
    assert [json.loads(text) for portion in portions for text in portion["text"]] == [str(n) for n in range(10)]


def test_without_rows_there_are_columns() -> None:
    rows = query_json("SELECT number, 1 AS `a.b` FROM numbers(0)")
    assert (len(rows), rows.columns()) == (0, {"number": [], "a.b": []})


def test_an_error_after_the_first_rows_is_no_part_of_the_answer() -> None:
    with pytest.raises(ClickHouseError, match="late"):
        query_json("SELECT throwIf(number = 500000, 'late') FROM numbers(1000000)", settings={"max_result_rows": 0})
    with pytest.raises(QueryTooLarge):
        query_json("SELECT number FROM numbers(10)", settings={"max_result_rows": 5})
