-- last_seen is of the writing, not of the span, which may be a month old by then.
CREATE MATERIALIZED VIEW IF NOT EXISTS mapped_spans_to_span_facets TO span_facets AS
SELECT
    tenant,
    facet,
    any(sipHash64(spans.service_name, spans.environment, spans.name, spans.model_name)) AS operation,
    any(spans.service_name) AS service_name,
    any(spans.environment) AS environment,
    any(spans.name) AS name,
    any(spans.model_name) AS model_name,
    any(spans.gpus.resource_uuid) AS resource_uuids,
    any(spans.gpus.physical_uuid) AS physical_uuids,
    any(spans.gpus.node_id) AS node_ids,
    now('UTC') AS last_seen
FROM mapped_spans AS spans
GROUP BY tenant, facet
