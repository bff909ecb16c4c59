-- For the spans that were there before: rows that add nothing but facets and intervals, and so may be added twice.
INSERT INTO traces (tenant, trace_id, start_time, end_time, first, facets, operations, gpu_intervals)
SELECT
    tenant,
    trace_id,
    min(spans.start_time),
    max(spans.end_time),
    argMinState(
        CAST(
            tuple(service_name, environment, name, CAST(status, 'Int8')),
            'Tuple(service_name LowCardinality(String), environment LowCardinality(String), name LowCardinality(String), status Int8)'),
        tuple(toUInt8(parent_span_id != toFixedString('', 8)), spans.start_time, span_id)),
    groupUniqArray(facet),
    groupUniqArray(sipHash64(service_name, environment, name, model_name)),
    groupArrayArray(arrayMap(
        (resource_uuid, start_ns, end_ns) -> (sipHash64(resource_uuid), start_ns, end_ns),
        `gpus.resource_uuid`,
        arrayWithConstant(length(`gpus.resource_uuid`), toUnixTimestamp64Nano(spans.start_time)),
        arrayWithConstant(length(`gpus.resource_uuid`), toUnixTimestamp64Nano(spans.end_time))))
FROM spans
GROUP BY tenant, trace_id
