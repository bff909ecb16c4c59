-- A way station that keeps nothing: each span as the mapping of docs/conventions.md has it, on its way to `spans`, which keeps most of
-- it as one text, and to `traces`, `span_facets` and `gpu_attributions`. An empty string is an unset text; ids are binary, a parent of
-- eight zero bytes is a root.
CREATE TABLE IF NOT EXISTS mapped_spans
(
    tenant LowCardinality(String),
    trace_id FixedString(16),
    span_id FixedString(8),
    parent_span_id FixedString(8),
    start_time DateTime64(9, 'UTC'),
    end_time DateTime64(9, 'UTC'),
    name LowCardinality(String),
    kind Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5),
    status Enum8('unset' = 0, 'ok' = 1, 'error' = 2),
    status_message String,
    trace_state String,
    flags UInt32,
    dropped_attributes_count UInt32,
    dropped_events_count UInt32,
    dropped_links_count UInt32,

    -- from the resource; its whole is in `resources` under resource_id
    resource_id FixedString(16),
    service_name LowCardinality(String),
    service_version LowCardinality(String),
    environment LowCardinality(String),
    host LowCardinality(String),
    pod LowCardinality(String),
    pid Nullable(Int64),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    scope_attributes Array(String),

    -- the canonical fields: docs/conventions.md says which key of which emitter fills each
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    provider LowCardinality(String),
    inference_type LowCardinality(String),
    tokens_input Nullable(Int64),
    tokens_output Nullable(Int64),
    tokens_cached Nullable(Int64),
    tokens_per_second Nullable(Float64),
    ttft_ms Nullable(Float64),
    queue_ms Nullable(Float64),
    prefill_ms Nullable(Float64),
    decode_ms Nullable(Float64),
    inference_ms Nullable(Float64),
    batch_size Nullable(Int64),
    diffusion_steps Nullable(Int64),
    cfg_scale Nullable(Float64),
    cost_usd Nullable(Decimal(38, 12)),
    energy_wh Nullable(Float64),
    request_id String,
    user_id String,
    session_id String,

    -- every attribute that was sent, by its type, but for the GPU attributions below. attributes_encoded holds what is
    -- neither: one letter (a array, k map, b bytes, n nothing) and the value's OTLP protobuf.
    attributes_string Map(LowCardinality(String), String),
    attributes_int Map(LowCardinality(String), Int64),
    attributes_double Map(LowCardinality(String), Float64),
    attributes_bool Map(LowCardinality(String), Bool),
    attributes_encoded Map(LowCardinality(String), String),

    -- attributes of events and links are OTLP KeyValue messages
    events Nested
    (
        time_unix_nano UInt64,
        name LowCardinality(String),
        attributes Array(String),
        dropped_attributes_count UInt32
    ),
    links Nested
    (
        trace_id String,
        span_id String,
        trace_state String,
        attributes Array(String),
        dropped_attributes_count UInt32,
        flags UInt32
    ),
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
    ),

    -- as in `spans`, 0033
    facet UInt64 DEFAULT sipHash64(
        service_name, environment, name, model_name,
        gpus.resource_uuid, gpus.physical_uuid, gpus.node_id)
)
ENGINE = Null
