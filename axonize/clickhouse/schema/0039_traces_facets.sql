-- What `trace_summaries` is made of beside what was here: the facets and operations of the trace's spans, and when each of
-- its GPUs was held (by the hash of its uuid), for the time that the trace held GPUs is that of the intervals' union.
ALTER TABLE traces
    ADD COLUMN IF NOT EXISTS facets SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)),
    ADD COLUMN IF NOT EXISTS operations SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)),
    ADD COLUMN IF NOT EXISTS gpu_intervals SimpleAggregateFunction(
        groupArrayArray, Array(Tuple(resource UInt64, start_ns Int64, end_ns Int64)))
