-- One row a trace once merged, several before: read it with GROUP BY trace_id. It answers
--   GET /traces                          the summaries, and the filters that speak of the whole trace
--   GET /traces/{trace_id}               the summary, and the time range in which its spans are found
--   GET /analytics/overview              counts, latencies and costs of traces
-- A summary's texts are its root's: of several roots the earliest, of none the earliest span. `first` picks them, ordered
-- by (has a parent, start, span_id).
CREATE TABLE IF NOT EXISTS traces
(
    tenant LowCardinality(String),
    trace_id FixedString(16),
    start_time SimpleAggregateFunction(min, DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    end_time SimpleAggregateFunction(max, DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    span_count SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    error_count SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    first AggregateFunction(
        argMin,
        Tuple(
            service_name LowCardinality(String),
            environment LowCardinality(String),
            name LowCardinality(String),
            status Int8),
        Tuple(UInt8, DateTime64(9, 'UTC'), FixedString(8))) CODEC(ZSTD(1)),
    models SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1)),
    resource_uuids SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1)),
    tokens_input SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    tokens_output SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
    cost_usd SimpleAggregateFunction(sum, Nullable(Decimal(38, 12))) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, trace_id)
TTL toDateTime(end_time) + INTERVAL 31 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000
