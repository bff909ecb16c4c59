-- What a batch saw of each GPU; the table keeps the first and the last of it and the latest known of each reading.
CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_attributions_to_gpu_sightings TO gpu_sightings AS
SELECT
    tenant, resource_uuid, physical_uuid, node_id, user_label, hostname, pod, process_id, model, vendor, resource_type,
    min(span_start_time) AS first_seen,
    max(time) AS last_seen,
    now64(3, 'UTC') AS written_at,
    maxOrNullIf(
        time,
        coalesce(
            seen.utilization, seen.memory_used_gb, seen.temperature_celsius, seen.power_watts, seen.clock_mhz) IS NOT NULL) AS reading_at,
    argMaxState(seen.utilization, time) AS utilization,
    argMaxState(seen.memory_used_gb, time) AS memory_used_gb,
    argMaxState(seen.memory_total_gb, time) AS memory_total_gb,
    argMaxState(seen.temperature_celsius, time) AS temperature_celsius,
    argMaxState(seen.power_watts, time) AS power_watts,
    argMaxState(seen.clock_mhz, time) AS clock_mhz
FROM gpu_attributions AS seen
GROUP BY tenant, resource_uuid, physical_uuid, node_id, user_label, hostname, pod, process_id, model, vendor, resource_type
