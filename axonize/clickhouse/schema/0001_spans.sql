-- One row a span, as it was sent. It answers
--   GET /traces/{trace_id} and …/spans   by the time range that `traces` holds for the id, then the bloom filter
--   which traces have a span that …      in order of time, newest first (span-level filters of GET /traces)
-- An empty string is an unset text; ids are binary, a parent of eight zero bytes is a root.
CREATE TABLE IF NOT EXISTS spans
(
    tenant LowCardinality(String),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(ZSTD(1)),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    start_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    end_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    duration_ns UInt64 ALIAS reinterpretAsUInt64(end_time) - reinterpretAsUInt64(start_time),
    name LowCardinality(String),
    kind Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5),
    status Enum8('unset' = 0, 'ok' = 1, 'error' = 2),
    status_message String CODEC(ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    dropped_attributes_count UInt32 CODEC(ZSTD(1)),
    dropped_events_count UInt32 CODEC(ZSTD(1)),
    dropped_links_count UInt32 CODEC(ZSTD(1)),

    -- from the resource; its whole is in `resources` under resource_id
    resource_id FixedString(16) CODEC(ZSTD(1)),
    service_name LowCardinality(String),
    service_version LowCardinality(String),
    environment LowCardinality(String),
    host LowCardinality(String),
    pod LowCardinality(String),
    pid Nullable(Int64) CODEC(ZSTD(1)),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    scope_attributes Array(String) CODEC(ZSTD(1)),

    -- the canonical fields: docs/conventions.md says which key of which emitter fills each
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    provider LowCardinality(String),
    inference_type LowCardinality(String),
    tokens_input Nullable(Int64) CODEC(ZSTD(1)),
    tokens_output Nullable(Int64) CODEC(ZSTD(1)),
    tokens_cached Nullable(Int64) CODEC(ZSTD(1)),
    tokens_per_second Nullable(Float64) CODEC(ZSTD(1)),
    ttft_ms Nullable(Float64) CODEC(ZSTD(1)),
    queue_ms Nullable(Float64) CODEC(ZSTD(1)),
    prefill_ms Nullable(Float64) CODEC(ZSTD(1)),
    decode_ms Nullable(Float64) CODEC(ZSTD(1)),
    inference_ms Nullable(Float64) CODEC(ZSTD(1)),
    batch_size Nullable(Int64) CODEC(ZSTD(1)),
    diffusion_steps Nullable(Int64) CODEC(ZSTD(1)),
    cfg_scale Nullable(Float64) CODEC(ZSTD(1)),
    cost_usd Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    energy_wh Nullable(Float64) CODEC(ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    session_id String CODEC(ZSTD(1)),

    -- every attribute that was sent, by its type, but for the GPU attributions below. attributes_encoded holds what is
    -- neither: one letter (a array, k map, b bytes, n nothing) and the value's OTLP protobuf.
    attributes_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes_int Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    attributes_double Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    attributes_bool Map(LowCardinality(String), Bool) CODEC(ZSTD(1)),
    attributes_encoded Map(LowCardinality(String), String) CODEC(ZSTD(1)),

    -- attributes of events and links are OTLP KeyValue messages
    events Nested
    (
        time_unix_nano UInt64,
        name LowCardinality(String),
        attributes Array(String),
        dropped_attributes_count UInt32
    ) CODEC(ZSTD(1)),
    links Nested
    (
        trace_id String,
        span_id String,
        trace_state String,
        attributes Array(String),
        dropped_attributes_count UInt32,
        flags UInt32
    ) CODEC(ZSTD(1)),
    gpus Nested
    (
        resource_uuid LowCardinality(String),
        physical_uuid LowCardinality(String),
        model LowCardinality(String),
        vendor LowCardinality(String),
        node_id LowCardinality(String),
        resource_type LowCardinality(String),
        user_label LowCardinality(String),
        utilization Nullable(Float64),
        memory_used_gb Nullable(Float64),
        memory_total_gb Nullable(Float64),
        temperature_celsius Nullable(Float64),
        power_watts Nullable(Float64),
        clock_mhz Nullable(Float64)
    ) CODEC(ZSTD(1)),

    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(start_time)
ORDER BY (tenant, start_time)
TTL toDate(start_time) + INTERVAL 30 DAY DELETE
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000
