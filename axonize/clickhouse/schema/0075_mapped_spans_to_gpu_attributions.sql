-- One row for each GPU that a span names. NVML answers zero to everything for a MIG slice: five zeros in one snapshot are no readings but "unknown".
CREATE MATERIALIZED VIEW IF NOT EXISTS mapped_spans_to_gpu_attributions TO gpu_attributions AS
SELECT
    tenant, resource_uuid, physical_uuid, node_id, user_label, host AS hostname, pod, ifNull(pid, 0) AS process_id,
    model, vendor, resource_type, trace_id, start_time AS span_start_time, end_time AS time,
    occurrence = 1 AS is_first_of_span, facet, cost_usd IS NOT NULL AS has_cost,
    if(unknown, NULL, sent_utilization) AS utilization,
    if(unknown, NULL, sent_memory_used_gb) AS memory_used_gb,
    memory_total_gb,
    if(unknown, NULL, sent_temperature_celsius) AS temperature_celsius,
    if(unknown, NULL, sent_power_watts) AS power_watts,
    if(unknown, NULL, sent_clock_mhz) AS clock_mhz
FROM
(
    SELECT
        tenant, resource_uuid, physical_uuid, node_id, user_label, host, pod, pid,
        model, vendor, resource_type, trace_id, start_time, end_time, facet, cost_usd, occurrence,
        sent_utilization, sent_memory_used_gb, memory_total_gb, sent_temperature_celsius, sent_power_watts, sent_clock_mhz,
        ifNull(
            sent_utilization = 0 AND sent_memory_used_gb = 0 AND sent_temperature_celsius = 0
                AND sent_power_watts = 0 AND sent_clock_mhz = 0,
            false) AS unknown
    FROM mapped_spans
    ARRAY JOIN
        `gpus.resource_uuid` AS resource_uuid,
        `gpus.physical_uuid` AS physical_uuid,
        `gpus.model` AS model,
        `gpus.vendor` AS vendor,
        `gpus.node_id` AS node_id,
        `gpus.resource_type` AS resource_type,
        `gpus.user_label` AS user_label,
        `gpus.utilization` AS sent_utilization,
        `gpus.memory_used_gb` AS sent_memory_used_gb,
        `gpus.memory_total_gb` AS memory_total_gb,
        `gpus.temperature_celsius` AS sent_temperature_celsius,
        `gpus.power_watts` AS sent_power_watts,
        `gpus.clock_mhz` AS sent_clock_mhz,
        arrayEnumerateUniq(`gpus.resource_uuid`) AS occurrence
    WHERE resource_uuid != ''
)
