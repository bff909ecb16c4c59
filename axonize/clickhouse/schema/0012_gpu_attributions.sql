-- A way station that keeps nothing: one row for each GPU that a span names, on its way to gpu_metrics and gpu_sightings.
CREATE TABLE IF NOT EXISTS gpu_attributions
(
    tenant LowCardinality(String),
    resource_uuid LowCardinality(String),
    physical_uuid LowCardinality(String),
    node_id LowCardinality(String),
    user_label LowCardinality(String),
    hostname LowCardinality(String),
    pod LowCardinality(String),
    process_id Int64,
    model LowCardinality(String),
    vendor LowCardinality(String),
    resource_type LowCardinality(String),
    trace_id FixedString(16),
    span_start_time DateTime64(9, 'UTC'),
    time DateTime64(9, 'UTC'),
    utilization Nullable(Float64),
    memory_used_gb Nullable(Float64),
    memory_total_gb Nullable(Float64),
    temperature_celsius Nullable(Float64),
    power_watts Nullable(Float64),
    clock_mhz Nullable(Float64)
)
ENGINE = Null
