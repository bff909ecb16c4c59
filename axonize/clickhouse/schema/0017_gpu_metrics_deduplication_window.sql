-- As spans: a block a day that a batch has spans of.
ALTER TABLE gpu_metrics MODIFY SETTING non_replicated_deduplication_window = 150000
