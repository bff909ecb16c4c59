-- A way station that keeps nothing: rows of trace_summaries with the facets and operations that their shape and flow stand
-- for, and the run of ingest.summaries that they are from.
CREATE TABLE IF NOT EXISTS trace_updates
(
    tenant LowCardinality(String),
    start_time DateTime64(9, 'UTC'),
    trace_id FixedString(16),
    version UInt64,
    weight Int64,
    written_at DateTime64(3, 'UTC'),
    end_time DateTime64(9, 'UTC'),
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
    cost_usd Nullable(Decimal(38, 12)),
    facets Array(UInt64),
    operations Array(UInt64),
    run DateTime64(3, 'UTC')
)
ENGINE = Null
