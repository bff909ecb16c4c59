-- How long the trace's spans that sent no cost held each resource, minute by minute; of a minute the last version counts.
ALTER TABLE traces
    ADD COLUMN IF NOT EXISTS gpu_time SimpleAggregateFunction(
        groupUniqArrayArray,
        Array(Tuple(resource_uuid String, minute UInt32, version UInt64, held_ns Float64)))
