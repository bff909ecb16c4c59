-- Whether this is the first time that the span names the resource; it may under several numbers. And what the cost of the GPU's time
-- is told by: the span's facet (`span_facets` has what it stands for), and whether the span sent a cost of its own.
ALTER TABLE gpu_attributions
    ADD COLUMN IF NOT EXISTS is_first_of_span Bool DEFAULT true,
    ADD COLUMN IF NOT EXISTS facet UInt64,
    ADD COLUMN IF NOT EXISTS has_cost Bool
