-- In place of 0048's, with gpu_times. All but the facets and operations, which shape and flow stand for; and a copy of each row that is taken back.
CREATE OR REPLACE MATERIALIZED VIEW trace_updates_to_trace_summaries TO trace_summaries AS
SELECT
    * EXCEPT (version, weight, facets, operations, run, entry),
    entry.1 AS version,
    entry.2 AS weight,
    entry.3 AS superseded_at
FROM trace_updates
ARRAY JOIN if(
    trace_updates.weight > 0,
    [(trace_updates.version, trace_updates.weight, toDateTime64(0, 3, 'UTC'))],
    [
        (trace_updates.version, trace_updates.weight, toDateTime64(0, 3, 'UTC')),
        (bitNot(trace_updates.version), toInt64(1), run)
    ]
) AS entry
