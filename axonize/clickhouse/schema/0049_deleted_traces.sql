-- The traces that somebody deleted. It answers, for the spans of a batch: are any of a deleted trace? They go too, for they
-- were under way when it was deleted, or are dead letters that were replayed.
CREATE TABLE IF NOT EXISTS deleted_traces
(
    tenant LowCardinality(String),
    trace_id FixedString(16),
    deleted_at DateTime('UTC')
)
ENGINE = ReplacingMergeTree(deleted_at)
ORDER BY (tenant, trace_id)
TTL deleted_at + INTERVAL 62 DAY DELETE
