-- One row a resource (what sent the spans), so that its attributes are stored once and not with each span. It answers
--   GET /traces/{trace_id}               `resource` of each span, by resource_id
--   attr.KEY=VALUE on a resource         resource_id IN (…)
CREATE TABLE IF NOT EXISTS resources
(
    tenant LowCardinality(String),
    resource_id FixedString(16),
    attributes_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes_int Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    attributes_double Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    attributes_bool Map(LowCardinality(String), Bool) CODEC(ZSTD(1)),
    attributes_encoded Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    last_seen DateTime('UTC')
)
ENGINE = ReplacingMergeTree(last_seen)
ORDER BY (tenant, resource_id)
TTL last_seen + INTERVAL 62 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000
