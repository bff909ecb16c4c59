-- Which GPU was seen where and under what label, first and last, with the latest known readings; a few rows a GPU. It answers
--   registry.sync_registry               what was seen since written_at
--   GET /gpus, /gpus/{resource_uuid}     the latest known readings of a resource
CREATE TABLE IF NOT EXISTS gpu_sightings
(
    tenant LowCardinality(String),
    resource_uuid String,
    physical_uuid String,
    node_id String,
    user_label String,
    hostname String,
    pod String,
    process_id Int64,
    model LowCardinality(String),
    vendor LowCardinality(String),
    resource_type LowCardinality(String),
    first_seen SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(9, 'UTC')),
    written_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    reading_at SimpleAggregateFunction(max, Nullable(DateTime64(9, 'UTC'))),
    utilization AggregateFunction(argMax, Nullable(Float64), DateTime64(9, 'UTC')),
    memory_used_gb AggregateFunction(argMax, Nullable(Float64), DateTime64(9, 'UTC')),
    memory_total_gb AggregateFunction(argMax, Nullable(Float64), DateTime64(9, 'UTC')),
    temperature_celsius AggregateFunction(argMax, Nullable(Float64), DateTime64(9, 'UTC')),
    power_watts AggregateFunction(argMax, Nullable(Float64), DateTime64(9, 'UTC')),
    clock_mhz AggregateFunction(argMax, Nullable(Float64), DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, resource_uuid, physical_uuid, node_id, user_label, hostname, pod, process_id, model, vendor, resource_type)
TTL toDateTime(last_seen) + INTERVAL 400 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000
