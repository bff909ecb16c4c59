-- Each batch adds its part to the summary of every trace it touches.
CREATE MATERIALIZED VIEW IF NOT EXISTS mapped_spans_to_traces TO traces AS
SELECT
    tenant,
    trace_id,
    min(spans.start_time) AS start_time,
    max(spans.end_time) AS end_time,
    count() AS span_count,
    countIf(status = 'error') AS error_count,
    argMinState(
        CAST(
            tuple(service_name, environment, name, CAST(status, 'Int8')),
            'Tuple(service_name LowCardinality(String), environment LowCardinality(String), name LowCardinality(String), status Int8)'),
        tuple(toUInt8(parent_span_id != toFixedString('', 8)), spans.start_time, span_id)) AS first,
    groupUniqArrayIf(toString(model_name), model_name != '') AS models,
    sum(ifNull(spans.tokens_input, 0)) AS tokens_input,
    sum(ifNull(spans.tokens_output, 0)) AS tokens_output,
    sum(spans.cost_usd) AS cost_usd,
    groupUniqArray(facet) AS facets,
    groupUniqArray(sipHash64(service_name, environment, name, model_name)) AS operations,
    groupArrayArray(arrayMap(
        (resource_uuid, start_ns, end_ns) -> (sipHash64(resource_uuid), start_ns, end_ns),
        `gpus.resource_uuid`,
        arrayWithConstant(length(`gpus.resource_uuid`), toUnixTimestamp64Nano(spans.start_time)),
        arrayWithConstant(length(`gpus.resource_uuid`), toUnixTimestamp64Nano(spans.end_time)))) AS gpu_intervals
FROM mapped_spans AS spans
GROUP BY tenant, trace_id
