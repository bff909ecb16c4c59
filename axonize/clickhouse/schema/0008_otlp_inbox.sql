-- What the worker writes to: OTLP requests as the client sent them, each in an envelope with its tenant (ingest/otlp.proto).
-- Nothing is kept here; the views below turn a request into rows. `value` says which member of AnyValue was set.
CREATE TABLE IF NOT EXISTS otlp_inbox
(
    tenant LowCardinality(String),
    request Tuple(
        resource_spans Array(Tuple(
            resource Tuple(
                attributes Array(Tuple(
                    key LowCardinality(String),
                    value Tuple(
                        value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                        string_value String,
                        bool_value Bool,
                        int_value Int64,
                        double_value Float64,
                        array_value String,
                        kvlist_value String,
                        bytes_value String)))),
            scope_spans Array(Tuple(
                scope Tuple(
                    name LowCardinality(String),
                    version LowCardinality(String),
                    attributes Array(String)),
                spans Array(Tuple(
                    trace_id FixedString(16),
                    span_id FixedString(8),
                    trace_state String,
                    parent_span_id FixedString(8),
                    name LowCardinality(String),
                    kind Int32,
                    start_time_unix_nano UInt64,
                    end_time_unix_nano UInt64,
                    attributes Array(Tuple(
                        key LowCardinality(String),
                        value Tuple(
                            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                            string_value String,
                            bool_value Bool,
                            int_value Int64,
                            double_value Float64,
                            array_value String,
                            kvlist_value String,
                            bytes_value String))),
                    dropped_attributes_count UInt32,
                    events Array(Tuple(
                        time_unix_nano UInt64,
                        name LowCardinality(String),
                        attributes Array(String),
                        dropped_attributes_count UInt32)),
                    dropped_events_count UInt32,
                    links Array(Tuple(
                        trace_id String,
                        span_id String,
                        trace_state String,
                        attributes Array(String),
                        dropped_attributes_count UInt32,
                        flags UInt32)),
                    dropped_links_count UInt32,
                    status Tuple(
                        message String,
                        code Int32),
                    flags UInt32)))))))
)
ENGINE = Null
