-- How long the trace's spans that sent no cost held each resource, for what that costs follows from the price of the moment.
ALTER TABLE trace_updates ADD COLUMN IF NOT EXISTS gpu_times Array(Tuple(resource_uuid LowCardinality(String), held_ns UInt64)) AFTER cost_usd
