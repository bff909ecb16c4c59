-- Whether this is the first time that the span names the resource; it may under several numbers.
ALTER TABLE gpu_attributions ADD COLUMN IF NOT EXISTS is_first_of_span Bool DEFAULT true
