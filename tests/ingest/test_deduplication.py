"""The windows in which ClickHouse knows a batch again are as long as a batch may take to come again."""

import re

import pytest
from clickhouse_connect.driver import Client

from ingest.deduplication import MOST_PARTITIONS, blocks_to_remember, rewritten_within_seconds
from ingest.queue import LEASE_MS
from ingest.tasks import REFUSED_RETRY_SECONDS

# What the writer's insert reaches
TABLES = {"spans", "traces", "gpu_metrics", "gpu_sightings", "resources"}


def windows(clickhouse: Client) -> dict[str, tuple[bool, int]]:
    """Return of each table that deduplicates whether it has partitions, and its window in blocks."""
    rows = clickhouse.query(
        """
        SELECT name, partition_key != '', engine_full FROM system.tables
        WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
        """
    ).result_rows
    found = {}
    for name, partitioned, engine in rows:
        window = re.search(r"non_replicated_deduplication_window = (\d+)", engine)
        if window:
            found[name] = (bool(partitioned), int(window[1]))
    return found


def test_each_table_remembers_as_many_blocks_as_are_written_before_a_batch_comes_again(clickhouse: Client) -> None:
    found = windows(clickhouse)
    assert found.keys() == TABLES
    short = {
        name: window
        for name, (partitioned, window) in found.items()
        if window < blocks_to_remember(partitions=MOST_PARTITIONS if partitioned else 1)
    }
    assert short == {}


def test_a_longer_retry_needs_a_longer_window(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rewritten_within_seconds() > LEASE_MS / 1000 + REFUSED_RETRY_SECONDS
    before = blocks_to_remember(partitions=1)
    monkeypatch.setattr("ingest.deduplication.REFUSED_RETRY_SECONDS", 3600)
    assert blocks_to_remember(partitions=1) > 5 * before
