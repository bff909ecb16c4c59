-- What it cost, for the summary of the trace, which traces_to_trace_changes has made anew.
CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_time_updates_to_traces TO traces AS
SELECT
    tenant,
    trace_id,
    min(span_start_time) AS start_time,
    max(span_end_time) AS end_time,
    groupArray((
        CAST(resource_uuid, 'String'),
        minute,
        version,
        held_ns
    )) AS gpu_time
FROM
(
    SELECT tenant, trace_id, resource_uuid, minute, version, min(gpu_time_updates.span_start_time) AS span_start_time, max(gpu_time_updates.span_end_time) AS span_end_time, sumIf(gpu_time_updates.held_ns, NOT has_cost) AS held_ns
    FROM gpu_time_updates
    WHERE trace_id != toFixedString('', 16)
    GROUP BY tenant, trace_id, resource_uuid, minute, version
)
GROUP BY tenant, trace_id
