-- How long the spans of a facet held a resource in a minute; the parts of those that held it together add up to the time that it was
-- held at all. It answers, at the registry's price,
--   GET /analytics/models, /services, /overview    what GPUs cost, where a span did not send its cost
--   GET /analytics/gpus                            what of a resource's price was used
-- `held_without_cost_ns` is of the spans that sent no cost of their own. The last version of a row counts.
CREATE TABLE IF NOT EXISTS gpu_time
(
    tenant LowCardinality(String),
    minute UInt32 CODEC(Delta, ZSTD(1)),
    resource_uuid LowCardinality(String),
    facet UInt64,
    held_ns Float64 CODEC(ZSTD(1)),
    held_without_cost_ns Float64 CODEC(ZSTD(1)),
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toDate(toDateTime(minute * 60))
ORDER BY (tenant, minute, resource_uuid, facet)
TTL toDate(toDateTime(minute * 60)) + INTERVAL 31 DAY DELETE
SETTINGS ttl_only_drop_parts = 1
