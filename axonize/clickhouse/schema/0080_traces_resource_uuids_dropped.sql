-- How many GPUs a trace ran on follows from gpu_intervals.
ALTER TABLE traces DROP COLUMN IF EXISTS resource_uuids
