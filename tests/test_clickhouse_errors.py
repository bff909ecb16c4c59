"""What ClickHouse and its drivers raise, told apart: what passes, and what is for good, in words without SQL."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.errors import ClickHouseError, ClickHouseUnavailable, classify


def refusal(code: int, name: str, text: str) -> DatabaseError:
    """Return what the driver raises for an answer of ClickHouse."""
    message = (
        f"Received ClickHouse exception, code: {code}, server response: Code: {code}. DB::Exception: {text}. ({name}) "
        f"(version 26.9.2.1) (for url http://127.0.0.1:8123)"
    )
    return DatabaseError(message, code=code, name=name)


@pytest.mark.parametrize(
    "error",
    [
        refusal(75, "CANNOT_WRITE_TO_FILE_DESCRIPTOR", "Cannot write to file /x.bin, errno: 28"),
        refusal(243, "NOT_ENOUGH_SPACE", "Cannot reserve 1.00 MiB, not enough space"),
        refusal(241, "MEMORY_LIMIT_EXCEEDED", "(total) memory limit exceeded"),
        refusal(1001, "STD_EXCEPTION", "std::filesystem: No space left on device [/store/x]"),
        refusal(252, "TOO_MANY_PARTS", "Too many parts (3000)"),
        OperationalError("Error executing HTTP request"),
        DatabaseError("HTTP driver received HTTP status 502, server response: Bad Gateway"),
        ConnectionRefusedError("[Errno 111] Connection refused"),
    ],
    ids=lambda error: str(error)[:60],
)
def test_what_passes_may_be_tried_again(error: Exception) -> None:
    assert isinstance(classify(error, reading=False), ClickHouseUnavailable)


@pytest.mark.parametrize(
    "error",
    [
        refusal(131, "TOO_LARGE_STRING_SIZE", "Too large value for FixedString(16): (at row 2)"),
        refusal(60, "UNKNOWN_TABLE", "Unknown table"),
        refusal(691, "UNKNOWN_ELEMENT_OF_ENUM", "Unexpected value 77: 'No space left on device'"),
        refusal(1001, "STD_EXCEPTION", "std::out_of_range: vector"),
        DatabaseError("HTTP driver received HTTP status 400, server response: Bad Request"),
    ],
    ids=lambda error: str(error)[:60],
)
def test_what_is_refused_for_good_is_no_passing_error(error: Exception) -> None:
    assert not isinstance(classify(error, reading=False), ClickHouseUnavailable)


@pytest.mark.parametrize(
    ("error", "summary"),
    [
        (
            refusal(
                131,
                "TOO_LARGE_STRING_SIZE",
                "Too large value for FixedString(16): (at row 2)\n: (in file/uri /dev/fd/67)",
            ),
            "TOO_LARGE_STRING_SIZE (131): Too large value for FixedString(16)",
        ),
        (
            refusal(
                691, "UNKNOWN_ELEMENT_OF_ENUM", "Unexpected value 77 in enum: while executing 'FUNCTION CAST(a, 'b')'"
            ),
            "UNKNOWN_ELEMENT_OF_ENUM (691): Unexpected value 77 in enum",
        ),
        (
            refusal(444, "PROTOBUF_BAD_CAST", "Protobuf messages are corrupted. Please note: (in file/uri /dev/fd/67)"),
            "PROTOBUF_BAD_CAST (444): Protobuf messages are corrupted",
        ),
        (refusal(60, "UNKNOWN_TABLE", "Unknown table " + "x" * 2000), None),
        (ValueError("no answer of ClickHouse's"), "ERROR (0): ValueError: no answer of ClickHouse's"),
    ],
    ids=["place", "SQL", "advice", "long", "no answer"],
)
def test_the_summary_is_one_sentence_without_sql(error: Exception, summary: str | None) -> None:
    told = classify(error, reading=False).summary
    assert len(told) <= 1000
    assert summary in (None, told)


@pytest.mark.usefixtures("clickhouse_schema")
def test_a_real_refusal_has_its_name_and_code() -> None:
    with pytest.raises(ClickHouseError) as refused:
        clickhouse.command("SELECT CAST('nothing', 'Enum8(\\'a\\' = 1)')")
    assert refused.value.code == 691
    assert refused.value.name == "UNKNOWN_ELEMENT_OF_ENUM"
    assert refused.value.summary.startswith("UNKNOWN_ELEMENT_OF_ENUM (691): ")
    assert "FUNCTION" not in refused.value.summary
