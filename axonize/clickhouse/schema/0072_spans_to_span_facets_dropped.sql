-- 0074 takes its place, from `mapped_spans`.
DROP VIEW IF EXISTS spans_to_span_facets SYNC
