-- The operations of a trace, all together, are its flow; traces have few flows, far fewer than shapes, for it does not
-- matter which of many GPUs served them. In which flows an operation is answers
--   the span-level filters of traces, with no GPU among them    which flows are meant
CREATE TABLE IF NOT EXISTS operation_flows
(
    tenant LowCardinality(String),
    operation UInt64,
    flow UInt64,
    last_seen DateTime('UTC')
)
ENGINE = ReplacingMergeTree(last_seen)
ORDER BY (tenant, operation, flow)
TTL last_seen + INTERVAL 62 DAY DELETE
