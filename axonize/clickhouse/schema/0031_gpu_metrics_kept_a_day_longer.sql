-- As long as the spans that they are from; see 0030.
ALTER TABLE gpu_metrics MODIFY TTL toDate(time) + INTERVAL 31 DAY DELETE
