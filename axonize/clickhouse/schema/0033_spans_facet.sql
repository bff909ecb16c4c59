-- What lists and charts ask of a span, in one number: spans that agree in all of it share their facet. `span_facets` says
-- which facet is what, so a filter is looked up there and then compared number by number.
ALTER TABLE spans ADD COLUMN IF NOT EXISTS facet UInt64 DEFAULT sipHash64(
    service_name, environment, name, model_name,
    gpus.resource_uuid, gpus.physical_uuid, gpus.node_id)
