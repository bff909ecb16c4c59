-- Each facet of the shapes that traces have by now.
CREATE MATERIALIZED VIEW IF NOT EXISTS trace_updates_to_facet_shapes TO facet_shapes AS
SELECT tenant, arrayJoin(any(trace_updates.facets)) AS facet, shape, now('UTC') AS last_seen
FROM trace_updates
WHERE weight > 0
GROUP BY tenant, shape
