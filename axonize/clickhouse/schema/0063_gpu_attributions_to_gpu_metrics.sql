-- The time series: every snapshot. In place of 0014's, with is_first_of_span and the facet.
CREATE OR REPLACE MATERIALIZED VIEW gpu_attributions_to_gpu_metrics TO gpu_metrics AS
SELECT
    tenant, resource_uuid, time, span_start_time, is_first_of_span, trace_id, facet, has_cost, physical_uuid,
    utilization, memory_used_gb, memory_total_gb, temperature_celsius, power_watts, clock_mhz
FROM gpu_attributions
