"""What a read sends to ClickHouse is what is written in it."""

from axonize.clickhouse import client


def test_a_percent_sign_is_itself_whether_or_not_the_read_binds_something(clickhouse: object) -> None:  # noqa: ARG001
    assert client.query("SELECT 'ReplacingMergeTree' LIKE '%MergeTree' AS found") == [{"found": 1}]
    assert client.query("SELECT {name:String} LIKE '%MergeTree' AS found", {"name": "MergeTree"}) == [{"found": 1}]
