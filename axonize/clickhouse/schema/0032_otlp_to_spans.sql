-- The mapping, in place of 0010's: one OTLP span to one row of `spans`. docs/conventions.md holds the table of keys that it
-- implements; a test keeps the two equal. Attributes are looked up by position in parallel arrays, for a lambda over a captured
-- map copies the map; a key that is absent has position 0, whose type is 'none'.
-- New is that a time too large for a double of milliseconds is left null, as any unusable value is; it was infinite, and so was
-- every average over it.
-- It replaces the view, for after MODIFY QUERY a view's deduplication tokens are others until ClickHouse starts again, and a batch
-- written again after that would be there twice.
CREATE OR REPLACE MATERIALIZED VIEW otlp_to_spans TO spans AS
WITH
    -- A text: a string that is not empty, or a number in its shortest form; else ''.
    at -> multiIf(
        types[at] = 'string_value', strings[at],
        types[at] = 'int_value', toString(ints[at]),
        types[at] = 'double_value', toString(doubles[at]),
        '') AS text_at,
    -- An integer, also as a whole double or as text, where nothing is lost.
    at -> multiIf(
        types[at] = 'int_value', ints[at],
        types[at] = 'double_value', accurateCastOrNull(doubles[at], 'Int64'),
        types[at] = 'string_value', coalesce(toInt64OrNull(strings[at]), accurateCastOrNull(toFloat64OrNull(strings[at]), 'Int64')),
        NULL) AS integer_at,
    -- A finite number, also as an integer that a double holds exactly, or as text.
    at -> multiIf(
        types[at] = 'double_value', if(isFinite(doubles[at]), doubles[at], NULL),
        types[at] = 'int_value', accurateCastOrNull(ints[at], 'Float64'),
        types[at] = 'string_value', if(isFinite(toFloat64OrNull(strings[at])), toFloat64OrNull(strings[at]), NULL),
        NULL) AS number_at,
    -- What was converted may have grown beyond a double.
    number -> if(isFinite(number), number, NULL) AS finite,
    -- A number of seconds, in milliseconds.
    at -> finite(number_at(at) * 1000) AS seconds_ms_at,
    -- gen_ai.latency.* in milliseconds: an integer is nanoseconds, anything else seconds.
    at -> if(types[at] = 'int_value', ints[at] / 1e6, seconds_ms_at(at)) AS latency_ms_at,
    -- Text Generation Inference prints Rust's Duration: 1.2ms, 3.4µs, 1.5s, 850ns.
    at -> finite(
        toFloat64OrNull(extract(strings[at], '^([0-9.]+)(?:ns|µs|μs|us|ms|s)$'))
        * transform(extract(strings[at], '^[0-9.]+(ns|µs|μs|us|ms|s)$'), ['ns', 'µs', 'μs', 'us', 'ms', 's'], [1e-6, 1e-3, 1e-3, 1e-3, 1., 1e3], 0.)) AS duration_ms_at
SELECT
    tenant,
    span.trace_id AS trace_id,
    span.span_id AS span_id,
    span.parent_span_id AS parent_span_id,
    fromUnixTimestamp64Nano(toInt64(span.start_time_unix_nano), 'UTC') AS start_time,
    fromUnixTimestamp64Nano(toInt64(span.end_time_unix_nano), 'UTC') AS end_time,
    span.name AS name,
    CAST(span.kind, 'Enum8(\'unspecified\' = 0, \'internal\' = 1, \'server\' = 2, \'client\' = 3, \'producer\' = 4, \'consumer\' = 5)') AS kind,
    CAST(span.status.code, 'Enum8(\'unset\' = 0, \'ok\' = 1, \'error\' = 2)') AS status,
    span.status.message AS status_message,
    span.trace_state AS trace_state,
    span.flags AS flags,
    span.dropped_attributes_count AS dropped_attributes_count,
    span.dropped_events_count AS dropped_events_count,
    span.dropped_links_count AS dropped_links_count,
    resource_id, service_name, service_version, environment, host, pod, pid,
    scope_name, scope_version, scope_attributes,
    coalesce(
        nullIf(text_at(indexOf(keys, 'ai.model.name')), ''),
        nullIf(text_at(indexOf(keys, 'gen_ai.request.model')), ''),
        nullIf(text_at(indexOf(keys, 'gen_ai.response.model')), ''),
        nullIf(text_at(indexOf(keys, 'llm.model_name')), ''),
        text_at(indexOf(keys, 'embedding.model_name'))) AS model_name,
    text_at(indexOf(keys, 'ai.model.version')) AS model_version,
    coalesce(
        nullIf(text_at(indexOf(keys, 'gen_ai.provider.name')), ''),
        nullIf(text_at(indexOf(keys, 'gen_ai.system')), ''),
        nullIf(text_at(indexOf(keys, 'llm.provider')), ''),
        text_at(indexOf(keys, 'llm.system'))) AS provider,
    coalesce(
        nullIf(text_at(indexOf(keys, 'ai.inference.type')), ''),
        nullIf(text_at(indexOf(keys, 'gen_ai.operation.name')), ''),
        nullIf(text_at(indexOf(keys, 'llm.request.type')), ''),
        if(name = 'llm_request', 'llm', NULL),
        text_at(indexOf(keys, 'openinference.span.kind'))) AS inference_type,
    coalesce(
        integer_at(indexOf(keys, 'ai.llm.tokens.input')),
        integer_at(indexOf(keys, 'gen_ai.usage.input_tokens')),
        integer_at(indexOf(keys, 'gen_ai.usage.prompt_tokens')),
        integer_at(indexOf(keys, 'llm.token_count.prompt'))) AS tokens_input,
    coalesce(
        integer_at(indexOf(keys, 'ai.llm.tokens.output')),
        integer_at(indexOf(keys, 'gen_ai.usage.output_tokens')),
        integer_at(indexOf(keys, 'gen_ai.usage.completion_tokens')),
        integer_at(indexOf(keys, 'llm.token_count.completion'))) AS tokens_output,
    coalesce(
        integer_at(indexOf(keys, 'gen_ai.usage.cache_read.input_tokens')),
        integer_at(indexOf(keys, 'gen_ai.usage.cached_tokens')),
        integer_at(indexOf(keys, 'llm.token_count.prompt_details.cache_read'))) AS tokens_cached,
    coalesce(
        number_at(indexOf(keys, 'ai.llm.tokens_per_second')),
        -- derived only where it is not sent: output tokens over the time after the first one
        if(duration_ms > ttft_ms, tokens_output / ((duration_ms - ttft_ms) / 1000), NULL)) AS tokens_per_second,
    coalesce(
        number_at(indexOf(keys, 'ai.llm.ttft_ms')),
        seconds_ms_at(indexOf(keys, 'gen_ai.response.time_to_first_chunk')),
        latency_ms_at(indexOf(keys, 'gen_ai.latency.time_to_first_token'))) AS ttft_ms,
    coalesce(
        latency_ms_at(indexOf(keys, 'gen_ai.latency.time_in_queue')),
        duration_ms_at(indexOf(keys, 'queue_time'))) AS queue_ms,
    latency_ms_at(indexOf(keys, 'gen_ai.latency.time_in_model_prefill')) AS prefill_ms,
    latency_ms_at(indexOf(keys, 'gen_ai.latency.time_in_model_decode')) AS decode_ms,
    coalesce(
        latency_ms_at(indexOf(keys, 'gen_ai.latency.time_in_model_inference')),
        duration_ms_at(indexOf(keys, 'inference_time'))) AS inference_ms,
    integer_at(indexOf(keys, 'ai.inference.batch_size')) AS batch_size,
    integer_at(indexOf(keys, 'ai.diffusion.steps')) AS diffusion_steps,
    number_at(indexOf(keys, 'ai.diffusion.cfg_scale')) AS cfg_scale,
    -- by way of text, for a double times 10^12 would be cut, not rounded
    toDecimal128OrNull(
        toString(coalesce(
            number_at(indexOf(keys, 'cost.usd')),
            number_at(indexOf(keys, 'cost.estimated_usd')),
            number_at(indexOf(keys, 'gen_ai.usage.cost')),
            number_at(indexOf(keys, 'llm.cost.total')))),
        12) AS cost_usd,
    number_at(indexOf(keys, 'cost.energy_wh')) AS energy_wh,
    coalesce(
        nullIf(text_at(indexOf(keys, 'gen_ai.response.id')), ''),
        nullIf(text_at(indexOf(keys, 'gen_ai.request.id')), ''),
        text_at(indexOf(keys, 'rid'))) AS request_id,
    coalesce(
        nullIf(text_at(indexOf(keys, 'enduser.id')), ''),
        text_at(indexOf(keys, 'user.id'))) AS user_id,
    coalesce(
        nullIf(text_at(indexOf(keys, 'gen_ai.conversation.id')), ''),
        text_at(indexOf(keys, 'session.id'))) AS session_id,
    mapFromArrays(
        arrayFilter((key, type, gpu) -> type = 'string_value' AND NOT gpu, keys, types, gpu_used),
        arrayFilter((string, type, gpu) -> type = 'string_value' AND NOT gpu, strings, types, gpu_used)) AS attributes_string,
    mapFromArrays(
        arrayFilter((key, type, gpu) -> type = 'int_value' AND NOT gpu, keys, types, gpu_used),
        arrayFilter((int, type, gpu) -> type = 'int_value' AND NOT gpu, ints, types, gpu_used)) AS attributes_int,
    mapFromArrays(
        arrayFilter((key, type, gpu) -> type = 'double_value' AND NOT gpu, keys, types, gpu_used),
        arrayFilter((double, type, gpu) -> type = 'double_value' AND NOT gpu, doubles, types, gpu_used)) AS attributes_double,
    mapFromArrays(
        arrayFilter((key, type) -> type = 'bool_value', keys, types),
        arrayFilter((bool, type) -> type = 'bool_value', span.attributes.value.bool_value, types)) AS attributes_bool,
    mapFromArrays(
        arrayFilter((key, type) -> type IN ('none', 'array_value', 'kvlist_value', 'bytes_value'), keys, types),
        arrayMap(
            value -> multiIf(
                value.value = 'array_value', concat('a', value.array_value),
                value.value = 'kvlist_value', concat('k', value.kvlist_value),
                value.value = 'bytes_value', concat('b', value.bytes_value),
                'n'),
            arrayFilter(
                (value, type) -> type IN ('none', 'array_value', 'kvlist_value', 'bytes_value'),
                span.attributes.value, types))) AS attributes_encoded,
    span.events.time_unix_nano AS `events.time_unix_nano`,
    span.events.name AS `events.name`,
    span.events.attributes AS `events.attributes`,
    span.events.dropped_attributes_count AS `events.dropped_attributes_count`,
    span.links.trace_id AS `links.trace_id`,
    span.links.span_id AS `links.span_id`,
    span.links.trace_state AS `links.trace_state`,
    span.links.attributes AS `links.attributes`,
    span.links.dropped_attributes_count AS `links.dropped_attributes_count`,
    span.links.flags AS `links.flags`,
    arrayMap(
        (resource, physical) -> if(resource = '', physical, resource),
        arrayMap(n -> gpu_texts[indexOf(gpu_slots, n * 16 + 1)], gpu_numbers),
        `gpus.physical_uuid`) AS `gpus.resource_uuid`,
    arrayMap(n -> gpu_texts[indexOf(gpu_slots, n * 16 + 2)], gpu_numbers) AS `gpus.physical_uuid`,
    arrayMap(n -> gpu_texts[indexOf(gpu_slots, n * 16 + 3)], gpu_numbers) AS `gpus.model`,
    arrayMap(n -> gpu_texts[indexOf(gpu_slots, n * 16 + 4)], gpu_numbers) AS `gpus.vendor`,
    arrayMap(n -> gpu_texts[indexOf(gpu_slots, n * 16 + 5)], gpu_numbers) AS `gpus.node_id`,
    arrayMap(n -> gpu_texts[indexOf(gpu_slots, n * 16 + 6)], gpu_numbers) AS `gpus.resource_type`,
    arrayMap(n -> gpu_texts[indexOf(gpu_slots, n * 16 + 7)], gpu_numbers) AS `gpus.user_label`,
    arrayMap(n -> gpu_readings[indexOf(gpu_slots, n * 16 + 8)], gpu_numbers) AS `gpus.utilization`,
    arrayMap(n -> gpu_readings[indexOf(gpu_slots, n * 16 + 9)], gpu_numbers) AS `gpus.memory_used_gb`,
    arrayMap(n -> gpu_readings[indexOf(gpu_slots, n * 16 + 10)], gpu_numbers) AS `gpus.memory_total_gb`,
    arrayMap(n -> gpu_readings[indexOf(gpu_slots, n * 16 + 11)], gpu_numbers) AS `gpus.temperature_celsius`,
    arrayMap(n -> gpu_readings[indexOf(gpu_slots, n * 16 + 12)], gpu_numbers) AS `gpus.power_watts`,
    arrayMap(n -> gpu_readings[indexOf(gpu_slots, n * 16 + 13)], gpu_numbers) AS `gpus.clock_mhz`
FROM
(
    -- One row a span; what is a GPU reading and usable as one is told apart from the other attributes.
    SELECT
        *,
        arrayMap(
            (slot, type, string, double) -> multiIf(
                slot = 0, false,
                type = 'string_value', if(slot % 16 < 8, string != '', isFinite(ifNull(toFloat64OrNull(string), nan))),
                type = 'double_value', slot % 16 < 8 OR isFinite(double),
                type = 'int_value'),
            slots, types, strings, doubles) AS gpu_used,
        arrayFilter((slot, used) -> used, slots, gpu_used) AS gpu_slots,
        arraySort(arrayDistinct(arrayMap(slot -> intDiv(slot, 16), gpu_slots))) AS gpu_numbers,
        arrayMap(
            (type, string, int, double) -> multiIf(type = 'string_value', string, type = 'int_value', toString(int), toString(double)),
            arrayFilter((type, used) -> used, types, gpu_used),
            arrayFilter((string, used) -> used, strings, gpu_used),
            arrayFilter((int, used) -> used, ints, gpu_used),
            arrayFilter((double, used) -> used, doubles, gpu_used)) AS gpu_texts,
        arrayMap(
            (type, string, int, double) -> multiIf(type = 'double_value', double, type = 'int_value', toFloat64(int), toFloat64OrNull(string)),
            arrayFilter((type, used) -> used, types, gpu_used),
            arrayFilter((string, used) -> used, strings, gpu_used),
            arrayFilter((int, used) -> used, ints, gpu_used),
            arrayFilter((double, used) -> used, doubles, gpu_used)) AS gpu_readings
    FROM
    (
        SELECT
            * EXCEPT spans,
            span,
            span.attributes.key AS keys,
            span.attributes.value.value AS types,
            span.attributes.value.string_value AS strings,
            span.attributes.value.int_value AS ints,
            span.attributes.value.double_value AS doubles,
            (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6 AS duration_ms,
            -- gpu.N.field is (N + 1) * 16 + the field's number from 1, any other key 0
            arrayMap(
                key -> if(
                    match(key, '^gpu\\.[0-9]{1,2}\\.(resource_uuid|physical_uuid|model|vendor|node_id|resource_type|user_label|utilization|memory_used_gb|memory_total_gb|temperature_celsius|power_watts|clock_mhz)$'),
                    (toUInt32OrZero(extract(key, '^gpu\\.([0-9]+)')) + 1) * 16 + transform(
                        extract(key, '([a-z_]+)$'),
                        ['resource_uuid', 'physical_uuid', 'model', 'vendor', 'node_id', 'resource_type', 'user_label', 'utilization', 'memory_used_gb', 'memory_total_gb', 'temperature_celsius', 'power_watts', 'clock_mhz'],
                        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], 0),
                    0),
                keys) AS slots
        FROM
        (
            SELECT
                * EXCEPT scope_spans,
                scope_span.scope.name AS scope_name,
                scope_span.scope.version AS scope_version,
                scope_span.scope.attributes AS scope_attributes,
                scope_span.spans AS spans
            FROM
            (
                WITH
                    resource_span.resource.attributes.key AS keys,
                    resource_span.resource.attributes.value.value AS types,
                    resource_span.resource.attributes.value.string_value AS strings,
                    resource_span.resource.attributes.value.int_value AS ints,
                    at -> multiIf(types[at] = 'string_value', strings[at], types[at] = 'int_value', toString(ints[at]), '') AS text_at
                SELECT
                    tenant,
                    sipHash128(resource_span.resource.attributes) AS resource_id,
                    coalesce(nullIf(text_at(indexOf(keys, 'service.name')), ''), 'unknown_service') AS service_name,
                    text_at(indexOf(keys, 'service.version')) AS service_version,
                    coalesce(
                        nullIf(text_at(indexOf(keys, 'deployment.environment.name')), ''),
                        text_at(indexOf(keys, 'deployment.environment'))) AS environment,
                    text_at(indexOf(keys, 'host.name')) AS host,
                    text_at(indexOf(keys, 'k8s.pod.name')) AS pod,
                    toInt64OrNull(text_at(indexOf(keys, 'process.pid'))) AS pid,
                    resource_span.scope_spans AS scope_spans
                FROM otlp_inbox
                ARRAY JOIN request.resource_spans AS resource_span
            )
            ARRAY JOIN scope_spans AS scope_span
        )
        ARRAY JOIN spans AS span
    )
)
