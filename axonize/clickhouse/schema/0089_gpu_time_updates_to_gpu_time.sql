-- The parts of all traces together.
CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_time_updates_to_gpu_time TO gpu_time AS
SELECT
    tenant,
    minute,
    resource_uuid,
    facet,
    sum(gpu_time_updates.held_ns) AS held_ns,
    sumIf(gpu_time_updates.held_ns, NOT has_cost) AS held_without_cost_ns,
    any(gpu_time_updates.version) AS version
FROM gpu_time_updates
GROUP BY tenant, minute, resource_uuid, facet
