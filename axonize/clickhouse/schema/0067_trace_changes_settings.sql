-- As of spans, 0057.
ALTER TABLE trace_changes MODIFY SETTING min_parts_to_merge_at_once = 10
