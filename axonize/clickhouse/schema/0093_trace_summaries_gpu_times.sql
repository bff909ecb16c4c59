-- As 0092.
--   GET /traces               the cost of each, and their order by it
--   GET /analytics/overview   what all cost
ALTER TABLE trace_summaries ADD COLUMN IF NOT EXISTS gpu_times Array(Tuple(resource_uuid LowCardinality(String), held_ns UInt64)) AFTER cost_usd
