-- The facets of a trace, all together, are its shape; many traces share one. It answers
--   group_by of the analytics of traces            which groups a shape belongs to
--   GET /analytics/overview                        which GPUs the traces ran on
CREATE TABLE IF NOT EXISTS trace_shapes
(
    tenant LowCardinality(String),
    shape UInt64,
    facets Array(UInt64),
    last_seen DateTime('UTC')
)
ENGINE = ReplacingMergeTree(last_seen)
ORDER BY (tenant, shape)
TTL last_seen + INTERVAL 62 DAY DELETE
