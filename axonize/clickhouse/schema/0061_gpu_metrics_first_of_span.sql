-- GET /gpus/{resource_uuid}/metrics: a span that names the resource twice is one active span. The others are as of 0060; rows from
-- before have neither.
ALTER TABLE gpu_metrics
    ADD COLUMN IF NOT EXISTS is_first_of_span Bool DEFAULT true,
    ADD COLUMN IF NOT EXISTS facet UInt64,
    ADD COLUMN IF NOT EXISTS has_cost Bool
