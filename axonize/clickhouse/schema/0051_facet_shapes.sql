-- In which shapes a facet is. It answers
--   the span-level filters of traces, with a GPU among them     which shapes are meant
CREATE TABLE IF NOT EXISTS facet_shapes
(
    tenant LowCardinality(String),
    facet UInt64,
    shape UInt64,
    last_seen DateTime('UTC')
)
ENGINE = ReplacingMergeTree(last_seen)
ORDER BY (tenant, facet, shape)
TTL last_seen + INTERVAL 62 DAY DELETE
