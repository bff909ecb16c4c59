"""The outline of a ClickHouse statement: where data begins, which format is meant."""

import pytest

from axonize.embedded.sql import insert_from_file, outline


@pytest.mark.parametrize(
    ("text", "verb", "name"),
    [
        (b"SELECT 1", "SELECT", None),
        (b"select 1\n FORMAT Native", "SELECT", "Native"),
        (b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1", "SELECT", "JSON"),
        (b"SELECT 'FORMAT CSV', \"FORMAT CSV\", `FORMAT CSV` -- FORMAT CSV\n/* FORMAT CSV */", "SELECT", None),
        (b"SELECT 'it\\'s FORMAT CSV'", "SELECT", None),
        (b"SELECT $$FORMAT CSV$$, $a$ FORMAT CSV $$ $a$", "SELECT", None),
        (b"SELECT * FROM (SELECT 1 FORMAT CSV) FORMAT TSV", "SELECT", "TSV"),
        (b"-- a comment\n# another\n/* and\nmore */ SELECT 1 FORMAT TSV", "SELECT", "TSV"),
        (b"(SELECT 1) FORMAT TSV", "SELECT", "TSV"),
        (b"WITH 1 AS a SELECT a", "WITH", None),
        (b"\xff\xfe", "", None),
        (b"", "", None),
    ],
)
def test_the_format_of_an_answer_is_the_one_outside_quotes_and_brackets(
    text: bytes, verb: str, name: str | None
) -> None:
    statement = outline(text)

    assert (statement.verb, statement.format, statement.insert) == (verb, name, None)


@pytest.mark.parametrize(
    ("text", "rewritten", "data"),
    [
        (
            b"INSERT INTO t FORMAT CSV\n1,2\n",
            b"INSERT INTO t \nFROM INFILE '/f' COMPRESSION 'none'\n\nFORMAT CSV",
            b"1,2\n",
        ),
        (
            b"insert into t (format, `FORMAT x`) settings a = 0 format Native \r\n\n;data",
            b"insert into t (format, `FORMAT x`) \nFROM INFILE '/f' COMPRESSION 'none'\nsettings a = 0 \nFORMAT Native",
            b"\n;data",
        ),
        (
            b"INSERT INTO t VALUES (1), (2)",
            b"INSERT INTO t \nFROM INFILE '/f' COMPRESSION 'none'\n\nFORMAT Values",
            b"(1), (2)",
        ),
    ],
)
def test_an_insert_is_cut_where_its_data_begins(text: bytes, rewritten: bytes, data: bytes) -> None:
    statement = outline(text)
    assert statement.insert is not None
    assert text[statement.insert.data_start :] == data
    assert insert_from_file(text, statement, "/f", "none") == rewritten


def test_an_insert_from_a_select_has_no_data() -> None:
    assert outline(b"INSERT INTO t SELECT * FROM u").insert is None
