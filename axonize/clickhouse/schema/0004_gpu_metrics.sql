-- One row a GPU attribution of a span: the snapshot, taken to be of the span's end. It answers
--   GET /gpus/{resource_uuid}/metrics    one resource, a range of time
-- A snapshot whose readings are all zero is NVML's answer for a MIG slice and means unknown: null here, zero in `spans`.
CREATE TABLE IF NOT EXISTS gpu_metrics
(
    tenant LowCardinality(String),
    resource_uuid LowCardinality(String),
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    span_start_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    physical_uuid LowCardinality(String),
    utilization Nullable(Float64) CODEC(ZSTD(1)),
    memory_used_gb Nullable(Float64) CODEC(ZSTD(1)),
    memory_total_gb Nullable(Float64) CODEC(ZSTD(1)),
    temperature_celsius Nullable(Float64) CODEC(ZSTD(1)),
    power_watts Nullable(Float64) CODEC(ZSTD(1)),
    clock_mhz Nullable(Float64) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (tenant, resource_uuid, time)
TTL toDate(time) + INTERVAL 30 DAY DELETE
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000
