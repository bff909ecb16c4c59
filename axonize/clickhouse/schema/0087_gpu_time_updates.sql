-- A way station that keeps nothing: how long the spans of a trace that are alike held a resource in a minute, of which spans that held
-- it at the same time have each their part, as ingest.gpu_time shares it out. A row without a trace takes back what was there.
CREATE TABLE IF NOT EXISTS gpu_time_updates
(
    tenant LowCardinality(String),
    resource_uuid LowCardinality(String),
    minute UInt32,
    facet UInt64,
    trace_id FixedString(16),
    span_start_time DateTime64(9, 'UTC'),
    span_end_time DateTime64(9, 'UTC'),
    has_cost Bool,
    held_ns Float64,
    version UInt64
)
ENGINE = Null
