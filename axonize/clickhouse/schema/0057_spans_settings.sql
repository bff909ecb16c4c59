-- GET /traces/{trace_id}: small blocks, for it unpacks a block of each column and uses a few rows of it. And merges of many parts at
-- once, column by column, for most of what a span costs after it is written is to be merged again and again.
ALTER TABLE spans MODIFY SETTING
    min_compress_block_size = 8192,
    min_parts_to_merge_at_once = 10,
    vertical_merge_algorithm_min_rows_to_activate = 1
