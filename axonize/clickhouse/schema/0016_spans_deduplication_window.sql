-- 10,000 blocks were nine minutes at full load with spans of two days, and less with spans of more: too few for a batch that
-- is written again late. docs/decisions/0005-deduplication-windows.md has the arithmetic and the cost.
ALTER TABLE spans MODIFY SETTING non_replicated_deduplication_window = 150000
