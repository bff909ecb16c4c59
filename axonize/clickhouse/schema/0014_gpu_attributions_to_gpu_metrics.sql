-- The time series: every snapshot.
CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_attributions_to_gpu_metrics TO gpu_metrics AS
SELECT
    tenant, resource_uuid, time, span_start_time, trace_id, physical_uuid,
    utilization, memory_used_gb, memory_total_gb, temperature_celsius, power_watts, clock_mhz
FROM gpu_attributions
