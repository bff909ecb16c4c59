-- The shapes that traces have by now.
CREATE MATERIALIZED VIEW IF NOT EXISTS trace_updates_to_trace_shapes TO trace_shapes AS
SELECT tenant, shape, any(trace_updates.facets) AS facets, now('UTC') AS last_seen
FROM trace_updates
WHERE weight > 0
GROUP BY tenant, shape
