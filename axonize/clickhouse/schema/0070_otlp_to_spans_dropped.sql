-- 0077 takes its place, to `mapped_spans`. No worker runs while migrations do, so nothing can come between the two.
DROP VIEW IF EXISTS otlp_to_spans SYNC
