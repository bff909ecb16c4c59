-- 0075 takes its place, from `mapped_spans`.
DROP VIEW IF EXISTS spans_to_gpu_attributions SYNC
