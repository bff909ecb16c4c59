-- What the cost of a GPU's time is told by (`span_facets` has what a facet stands for), and whether the span sent its own.
ALTER TABLE gpu_attributions
    ADD COLUMN IF NOT EXISTS facet UInt64,
    ADD COLUMN IF NOT EXISTS has_cost Bool
