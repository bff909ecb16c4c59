-- GET /gpus/{resource_uuid}/metrics: a span that names the resource twice is one active span.
ALTER TABLE gpu_metrics ADD COLUMN IF NOT EXISTS is_first_of_span Bool DEFAULT true
