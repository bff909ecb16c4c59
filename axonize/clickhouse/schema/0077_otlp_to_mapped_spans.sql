-- The mapping, in place of 0032's: one OTLP span to one row of `mapped_spans`. docs/conventions.md holds the table of keys that it
-- implements; a test keeps the two equal. Each attribute is looked at once: its key has a slot, its value becomes what the slot
-- takes, and a column finds its value by slot. Looking up each key for itself cost twice as much to run, and to plan.
--   field * 100 + rank of the key   a column: fields 1 to 9 are texts, 20 to 29 integers, 30 to 39 numbers
--   1000 + N * 10 + field           a text of gpu.N, fields 1 to 7
--   4000 + N * 10 + field           a reading of gpu.N, fields 1 to 6
--   0                               any other key
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_to_mapped_spans TO mapped_spans AS
WITH
    -- Where a column's value is: under the first of its keys that has a usable one, else at one that has none.
    field -> indexOf(usable, columns[indexOf(fields, field)]) AS at,
    -- A field of each GPU, in the order of their numbers.
    field -> arrayMap(number -> gpu_texts[indexOf(gpu_text_slots, 1000 + number * 10 + field)], gpu_numbers) AS gpu_text,
    field -> arrayMap(number -> gpu_readings[indexOf(gpu_reading_slots, 4000 + number * 10 + field)], gpu_numbers) AS gpu_reading
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
    texts[at(1)] AS model_name,
    texts[at(2)] AS model_version,
    texts[at(3)] AS provider,
    coalesce(
        nullIf(texts[at(4)], ''),
        if(name = 'llm_request', 'llm', NULL),
        texts[at(5)]) AS inference_type,
    integers[at(20)] AS tokens_input,
    integers[at(21)] AS tokens_output,
    integers[at(22)] AS tokens_cached,
    coalesce(
        numbers[at(30)],
        -- derived only where it is not sent: output tokens over the time after the first one
        if(duration_ms > ttft_ms, tokens_output / ((duration_ms - ttft_ms) / 1000), NULL)) AS tokens_per_second,
    numbers[at(31)] AS ttft_ms,
    numbers[at(32)] AS queue_ms,
    numbers[at(33)] AS prefill_ms,
    numbers[at(34)] AS decode_ms,
    numbers[at(35)] AS inference_ms,
    integers[at(23)] AS batch_size,
    integers[at(24)] AS diffusion_steps,
    numbers[at(36)] AS cfg_scale,
    -- by way of text, for a double times 10^12 would be cut, not rounded
    toDecimal128OrNull(toString(numbers[at(37)]), 12) AS cost_usd,
    numbers[at(38)] AS energy_wh,
    texts[at(6)] AS request_id,
    texts[at(7)] AS user_id,
    texts[at(8)] AS session_id,
    mapFromArrays(
        arrayFilter((key, kept) -> kept = 1, keys, kept),
        arrayFilter((string, kept) -> kept = 1, strings, kept)) AS attributes_string,
    mapFromArrays(
        arrayFilter((key, kept) -> kept = 3, keys, kept),
        arrayFilter((int, kept) -> kept = 3, ints, kept)) AS attributes_int,
    mapFromArrays(
        arrayFilter((key, kept) -> kept = 4, keys, kept),
        arrayFilter((double, kept) -> kept = 4, doubles, kept)) AS attributes_double,
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
        gpu_text(1), `gpus.physical_uuid`) AS `gpus.resource_uuid`,
    gpu_text(2) AS `gpus.physical_uuid`,
    gpu_text(3) AS `gpus.model`,
    gpu_text(4) AS `gpus.vendor`,
    gpu_text(5) AS `gpus.node_id`,
    gpu_text(6) AS `gpus.resource_type`,
    gpu_text(7) AS `gpus.user_label`,
    gpu_reading(1) AS `gpus.utilization`,
    gpu_reading(2) AS `gpus.memory_used_gb`,
    gpu_reading(3) AS `gpus.memory_total_gb`,
    gpu_reading(4) AS `gpus.temperature_celsius`,
    gpu_reading(5) AS `gpus.power_watts`,
    gpu_reading(6) AS `gpus.clock_mhz`
FROM
(
    -- One row a span: each attribute's value as its slot takes it, and which slots have a usable one.
    SELECT
        *,
        -- A text: a string that is not empty, or a number in its shortest form; else ''.
        arrayMap(
            (slot, type, string, int, double) -> multiIf(
                slot = 0 OR slot >= 2000, '',
                type = 'string_value', string,
                type = 'int_value', toString(int),
                type = 'double_value', toString(double),
                ''),
            slots, types, strings, ints, doubles) AS texts,
        -- An integer, also as a whole double or as text, where nothing is lost; else null.
        arrayMap(
            (slot, type, string, int, double) -> multiIf(
                slot < 2000 OR slot >= 3000, NULL,
                type = 'int_value', int,
                type = 'double_value', accurateCastOrNull(double, 'Int64'),
                type = 'string_value', coalesce(toInt64OrNull(string), accurateCastOrNull(toFloat64OrNull(string), 'Int64')),
                NULL),
            slots, types, strings, ints, doubles) AS integers,
        -- A number in the unit of its column; else null. An integer is one that a double holds exactly, but for readings and
        -- nanoseconds, of which the nearest will do.
        arrayMap(
            (slot, type, string, int, double) -> multiIf(
                slot < 3000 OR (slot IN (3202, 3502) AND type != 'string_value'), NULL,
                type = 'double_value', if(slot IN (3102, 3103, 3201, 3301, 3401, 3501), double * 1000, double),
                type = 'int_value', multiIf(
                    slot >= 4000, toFloat64(int),
                    -- gen_ai.latency.*: an integer is nanoseconds, anything else seconds
                    slot IN (3103, 3201, 3301, 3401, 3501), int / 1e6,
                    slot = 3102, accurateCastOrNull(int, 'Float64') * 1000,
                    accurateCastOrNull(int, 'Float64')),
                type = 'string_value', multiIf(
                    -- Text Generation Inference prints Rust's Duration: 1.2ms, 3.4µs, 1.5s, 850ns.
                    slot IN (3202, 3502),
                    toFloat64OrNull(extract(string, '^([0-9.]+)(?:ns|µs|μs|us|ms|s)$'))
                        * transform(extract(string, '^[0-9.]+(ns|µs|μs|us|ms|s)$'), ['ns', 'µs', 'μs', 'us', 'ms', 's'], [1e-6, 1e-3, 1e-3, 1e-3, 1., 1e3], 0.),
                    slot IN (3102, 3103, 3201, 3301, 3401, 3501), toFloat64OrNull(string) * 1000,
                    toFloat64OrNull(string)),
                NULL),
            slots, types, strings, ints, doubles) AS sent_numbers,
        -- What was converted may have grown beyond a double, and a double may be none.
        arrayMap(number -> if(isFinite(number), number, NULL), sent_numbers) AS numbers,
        arrayMap(
            (slot, text, integer, number) -> if(text != '' OR integer IS NOT NULL OR number IS NOT NULL, slot, 0),
            slots, texts, integers, numbers) AS usable,
        -- Of a key that is there twice the first counts, usable or not.
        arraySort(arrayFilter(
            (slot, occurrence) -> (slot BETWEEN 1 AND 999 OR slot BETWEEN 2000 AND 3999) AND occurrence = 1,
            usable, arrayEnumerateUniq(slots))) AS columns,
        arrayMap(slot -> intDiv(slot, 100), columns) AS fields,
        arrayFilter(slot -> slot BETWEEN 1000 AND 1999, usable) AS gpu_text_slots,
        arrayFilter(slot -> slot >= 4000, usable) AS gpu_reading_slots,
        CAST(arrayFilter((text, slot) -> slot BETWEEN 1000 AND 1999, texts, usable), 'Array(LowCardinality(String))') AS gpu_texts,
        arrayFilter((number, slot) -> slot >= 4000, numbers, usable) AS gpu_readings,
        arraySort(arrayDistinct(arrayMap(
            slot -> intDiv(slot % 1000, 10),
            arrayConcat(gpu_text_slots, gpu_reading_slots)))) AS gpu_numbers,
        -- The type of what is left to the span's attributes; 0 of what its GPUs took.
        arrayMap(
            (type, slot) -> if(slot BETWEEN 1000 AND 1999 OR slot >= 4000, 0, CAST(type, 'Int8')),
            types, usable) AS kept
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
            arrayMap(
                key -> transform(
                    key,
                    arrayConcat(
                        [
                            'ai.model.name', 'gen_ai.request.model', 'gen_ai.response.model', 'llm.model_name', 'embedding.model_name',  -- model_name
                            'ai.model.version',  -- model_version
                            'gen_ai.provider.name', 'gen_ai.system', 'llm.provider', 'llm.system',  -- provider
                            'ai.inference.type', 'gen_ai.operation.name', 'llm.request.type', 'openinference.span.kind',  -- inference_type
                            'gen_ai.response.id', 'gen_ai.request.id', 'rid',  -- request_id
                            'enduser.id', 'user.id',  -- user_id
                            'gen_ai.conversation.id', 'session.id',  -- session_id
                            'ai.llm.tokens.input', 'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens', 'llm.token_count.prompt',  -- tokens_input
                            'ai.llm.tokens.output', 'gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens', 'llm.token_count.completion',  -- tokens_output
                            'gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cached_tokens', 'llm.token_count.prompt_details.cache_read',  -- tokens_cached
                            'ai.inference.batch_size',  -- batch_size
                            'ai.diffusion.steps',  -- diffusion_steps
                            'ai.llm.tokens_per_second',  -- tokens_per_second
                            'ai.llm.ttft_ms', 'gen_ai.response.time_to_first_chunk', 'gen_ai.latency.time_to_first_token',  -- ttft_ms
                            'gen_ai.latency.time_in_queue', 'queue_time',  -- queue_ms
                            'gen_ai.latency.time_in_model_prefill',  -- prefill_ms
                            'gen_ai.latency.time_in_model_decode',  -- decode_ms
                            'gen_ai.latency.time_in_model_inference', 'inference_time',  -- inference_ms
                            'ai.diffusion.cfg_scale',  -- cfg_scale
                            'cost.usd', 'cost.estimated_usd', 'gen_ai.usage.cost', 'llm.cost.total',  -- cost_usd
                            'cost.energy_wh'  -- energy_wh
                        ],
                        arrayFlatten(arrayMap(
                            number -> arrayMap(field -> format('gpu.{}.{}', toString(number), field), ['resource_uuid', 'physical_uuid', 'model', 'vendor', 'node_id', 'resource_type', 'user_label']),
                            range(100))),
                        arrayFlatten(arrayMap(
                            number -> arrayMap(field -> format('gpu.{}.{}', toString(number), field), ['utilization', 'memory_used_gb', 'memory_total_gb', 'temperature_celsius', 'power_watts', 'clock_mhz']),
                            range(100)))),
                    arrayConcat(
                        [
                            101, 102, 103, 104, 105,  -- model_name
                            201,  -- model_version
                            301, 302, 303, 304,  -- provider
                            401, 402, 403, 501,  -- inference_type
                            601, 602, 603,  -- request_id
                            701, 702,  -- user_id
                            801, 802,  -- session_id
                            2001, 2002, 2003, 2004,  -- tokens_input
                            2101, 2102, 2103, 2104,  -- tokens_output
                            2201, 2202, 2203,  -- tokens_cached
                            2301,  -- batch_size
                            2401,  -- diffusion_steps
                            3001,  -- tokens_per_second
                            3101, 3102, 3103,  -- ttft_ms
                            3201, 3202,  -- queue_ms
                            3301,  -- prefill_ms
                            3401,  -- decode_ms
                            3501, 3502,  -- inference_ms
                            3601,  -- cfg_scale
                            3701, 3702, 3703, 3704,  -- cost_usd
                            3801  -- energy_wh
                        ],
                        arrayFlatten(arrayMap(number -> arrayMap(field -> 1000 + number * 10 + field, range(1, 8)), range(100))),
                        arrayFlatten(arrayMap(number -> arrayMap(field -> 4000 + number * 10 + field, range(1, 7)), range(100)))),
                    0)::UInt16,
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
