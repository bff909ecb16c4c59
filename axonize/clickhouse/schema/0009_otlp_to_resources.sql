-- The resources of a batch, each once.
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_to_resources TO resources AS
SELECT
    tenant,
    sipHash128(attributes) AS resource_id,
    any(mapFromArrays(
        arrayFilter((key, value) -> value.value = 'string_value', keys, values),
        arrayMap(value -> value.string_value, arrayFilter(value -> value.value = 'string_value', values)))) AS attributes_string,
    any(mapFromArrays(
        arrayFilter((key, value) -> value.value = 'int_value', keys, values),
        arrayMap(value -> value.int_value, arrayFilter(value -> value.value = 'int_value', values)))) AS attributes_int,
    any(mapFromArrays(
        arrayFilter((key, value) -> value.value = 'double_value', keys, values),
        arrayMap(value -> value.double_value, arrayFilter(value -> value.value = 'double_value', values)))) AS attributes_double,
    any(mapFromArrays(
        arrayFilter((key, value) -> value.value = 'bool_value', keys, values),
        arrayMap(value -> value.bool_value, arrayFilter(value -> value.value = 'bool_value', values)))) AS attributes_bool,
    any(mapFromArrays(
        arrayFilter((key, value) -> value.value IN ('none', 'array_value', 'kvlist_value', 'bytes_value'), keys, values),
        arrayMap(
            value -> multiIf(
                value.value = 'array_value', concat('a', value.array_value),
                value.value = 'kvlist_value', concat('k', value.kvlist_value),
                value.value = 'bytes_value', concat('b', value.bytes_value),
                'n'),
            arrayFilter(value -> value.value IN ('none', 'array_value', 'kvlist_value', 'bytes_value'), values)))) AS attributes_encoded,
    now('UTC') AS last_seen
FROM
(
    SELECT
        tenant,
        resource_span.resource.attributes AS attributes,
        attributes.key AS keys,
        attributes.value AS values
    FROM otlp_inbox
    ARRAY JOIN request.resource_spans AS resource_span
)
GROUP BY tenant, resource_id
