-- As spans, but the table has no partitions, so a batch is one block.
ALTER TABLE resources MODIFY SETTING non_replicated_deduplication_window = 50000
