-- The runs of ingest.summaries that are complete. It answers, for a list's first page: as of which moment is it?
CREATE TABLE IF NOT EXISTS summary_runs
(
    run DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toStartOfHour(run)
ORDER BY run
TTL toStartOfHour(run) + INTERVAL 2 HOUR DELETE
SETTINGS ttl_only_drop_parts = 1
