-- The last run of ingest.summaries that is complete, once merged; some of the last before. It answers, for a list's first page:
-- as of which moment is it? In place of 0050's, which forgot after two hours: a list is as of the last run also when nothing was
-- written for a month.
CREATE OR REPLACE TABLE summary_runs
(
    run DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(run)
ORDER BY tuple()
