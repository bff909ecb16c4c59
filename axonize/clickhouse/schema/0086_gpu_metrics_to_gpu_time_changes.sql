-- As of traces_to_trace_changes, 0043: a batch that is written again says it all again.
CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_metrics_to_gpu_time_changes TO gpu_time_changes AS
SELECT
    tenant,
    resource_uuid,
    toUInt32(intDiv(toUnixTimestamp(span_start_time), 60)) AS first_minute,
    toUInt32(intDiv(toUnixTimestamp(time), 60)) AS last_minute,
    now64(3, 'UTC') AS written_at
FROM gpu_metrics
GROUP BY tenant, resource_uuid, first_minute, last_minute
