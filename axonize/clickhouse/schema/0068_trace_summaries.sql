-- One row a trace, whole, in order of time, written by ingest.summaries from `traces`. It answers
--   GET /traces                                    each filter, order and page, and how many there are
--   GET /analytics/overview, latency, throughput   of traces
-- A trace that grew gets a row of weight -1 with the key of the one it had, and a new one of 1. The two of one key vanish
-- where they meet in a merge; until then who reads leaves out both, or sums the weights. `version` is the hash of all that
-- is told of the trace, `shape` and `flow` stand for its spans' facets and operations, and `written_at` is the run of
-- ingest.summaries that wrote the row. For the pages of one list, which are all as of one run, a copy of what was taken back
-- stays for a quarter of an hour, under another version: `superseded_at` is the run that took it back, 0 in all other rows.
-- In place of 0045's: small granules and blocks, for a page by another order than time is scattered rows. It begins empty, and
-- ingest.summary_schedule has all traces looked at again.
CREATE OR REPLACE TABLE trace_summaries
(
    tenant LowCardinality(String),
    start_time DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    trace_id FixedString(16),
    version UInt64,
    weight Int64 CODEC(Delta, LZ4),
    written_at DateTime64(3, 'UTC') CODEC(Delta, LZ4),
    superseded_at DateTime64(3, 'UTC') CODEC(Delta, LZ4),
    end_time DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    duration_ns UInt64,
    status Enum8('unset' = 0, 'ok' = 1, 'error' = 2),
    span_count UInt64,
    error_count UInt64,
    shape UInt64,
    flow UInt64,
    service_name LowCardinality(String),
    environment LowCardinality(String),
    root_span_name LowCardinality(String),
    models Array(LowCardinality(String)),
    gpu_count UInt64,
    gpu_time_ns UInt64,
    tokens_input Int64,
    tokens_output Int64,
    cost_usd Nullable(Decimal(38, 12))
)
ENGINE = SummingMergeTree(weight)
ORDER BY (tenant, start_time, trace_id, version)
TTL
    toDateTime(end_time) + INTERVAL 31 DAY DELETE,
    toDateTime(superseded_at) + INTERVAL 15 MINUTE DELETE WHERE superseded_at > toDateTime64(0, 3, 'UTC')
SETTINGS index_granularity = 1024, min_compress_block_size = 4096
