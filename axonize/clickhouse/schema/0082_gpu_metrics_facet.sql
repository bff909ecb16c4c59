-- As 0081. Rows from before have neither.
ALTER TABLE gpu_metrics
    ADD COLUMN IF NOT EXISTS facet UInt64,
    ADD COLUMN IF NOT EXISTS has_cost Bool
