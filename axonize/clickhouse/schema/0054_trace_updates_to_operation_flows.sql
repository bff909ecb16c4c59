-- Each operation of the flows that traces have by now.
CREATE MATERIALIZED VIEW IF NOT EXISTS trace_updates_to_operation_flows TO operation_flows AS
SELECT tenant, arrayJoin(any(trace_updates.operations)) AS operation, flow, now('UTC') AS last_seen
FROM trace_updates
WHERE weight > 0
GROUP BY tenant, flow
