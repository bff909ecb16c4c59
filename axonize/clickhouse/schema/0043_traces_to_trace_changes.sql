-- A batch that is written again changes no trace, and yet names all of its traces again.
CREATE MATERIALIZED VIEW IF NOT EXISTS traces_to_trace_changes TO trace_changes AS
SELECT tenant, trace_id, now64(3, 'UTC') AS written_at
FROM traces
