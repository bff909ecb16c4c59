-- For the spans that were there before; more rows of a facet are one after a merge.
INSERT INTO span_facets
SELECT
    tenant, facet, any(sipHash64(service_name, environment, name, model_name)), any(service_name), any(environment), any(name), any(model_name),
    any(gpus.resource_uuid), any(gpus.physical_uuid), any(gpus.node_id), now('UTC')
FROM spans
GROUP BY tenant, facet
