-- Which traces a batch touched, and when: what ingest.summaries has to bring up to date.
CREATE TABLE IF NOT EXISTS trace_changes
(
    tenant LowCardinality(String),
    trace_id FixedString(16),
    written_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toStartOfHour(written_at)
ORDER BY written_at
TTL toStartOfHour(written_at) + INTERVAL 2 HOUR DELETE
SETTINGS ttl_only_drop_parts = 1
