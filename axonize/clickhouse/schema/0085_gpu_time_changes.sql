-- When each resource was held by the spans of a batch, in minutes since 1970, and when that was written: what ingest.gpu_time has to
-- share out anew.
CREATE TABLE IF NOT EXISTS gpu_time_changes
(
    tenant LowCardinality(String),
    resource_uuid LowCardinality(String),
    first_minute UInt32,
    last_minute UInt32,
    written_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toStartOfHour(written_at)
ORDER BY written_at
TTL toStartOfHour(written_at) + INTERVAL 2 HOUR DELETE
SETTINGS ttl_only_drop_parts = 1
