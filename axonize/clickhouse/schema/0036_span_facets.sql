-- One row a facet once merged: what the spans that share it have in common. It answers
--   the span-level filters of traces and spans     which facets are meant, GROUP BY facet
--   group_by of the analytics                      which groups a facet belongs to
-- The three arrays are the GPUs of such a span, in its order; all but the GPUs, in one number, is its operation.
CREATE TABLE IF NOT EXISTS span_facets
(
    tenant LowCardinality(String),
    facet UInt64,
    operation UInt64,
    service_name LowCardinality(String),
    environment LowCardinality(String),
    name LowCardinality(String),
    model_name LowCardinality(String),
    resource_uuids Array(LowCardinality(String)),
    physical_uuids Array(LowCardinality(String)),
    node_ids Array(LowCardinality(String)),
    last_seen DateTime('UTC')
)
ENGINE = ReplacingMergeTree(last_seen)
ORDER BY (tenant, facet)
TTL last_seen + INTERVAL 62 DAY DELETE
