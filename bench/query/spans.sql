-- The spans of some hours of the fleet's month, as the mapping of OTLP would have written them. Everything about a span
-- follows from the seed, the number of its trace and its own in it. bench/query/load.py binds the parameters:
--   hours   (first nanosecond, nanoseconds, number of the first trace, traces) of each
-- and fills the two tables of the database bench_query: what each step of a request is, and the pods.
INSERT INTO mapped_spans
(
    tenant, trace_id, span_id, parent_span_id, start_time, end_time, name, kind, status, status_message,
    resource_id, service_name, service_version, environment, host, pod, pid, scope_name, scope_version,
    model_name, provider, inference_type, tokens_input, tokens_output, tokens_cached, tokens_per_second, ttft_ms,
    queue_ms, batch_size, diffusion_steps, cfg_scale, cost_usd, request_id, user_id, session_id,
    attributes_string, attributes_int, attributes_double, attributes_bool, attributes_encoded,
    events.time_unix_nano, events.name, events.attributes, events.dropped_attributes_count,
    gpus.resource_uuid, gpus.physical_uuid, gpus.model, gpus.vendor, gpus.node_id, gpus.resource_type, gpus.user_label,
    gpus.utilization, gpus.memory_used_gb, gpus.memory_total_gb, gpus.temperature_celsius, gpus.power_watts, gpus.clock_mhz
)
WITH
    k -> cityHash64({seed:UInt64}, trace, place_in_trace, k) AS hash,
    k -> hash(k) / 18446744073709551616. AS dice,
    (end_ns - start_ns) / 1e6 AS duration_ms,
    sort IN ('llm', 'embedding', 'image', 'speech', 'rerank') AS is_model,
    sort = 'llm' AS is_llm,
    -- lognormal, the median 490
    if(is_llm, toInt64(exp(6.2 + 1.1 * sqrt(-2 * log(dice(1))) * cos(2 * pi() * dice(2)))) + 1, NULL) AS input_tokens,
    if(is_llm, toInt64(duration_ms / 1000 * (20 + 100 * dice(3))) + 1, NULL) AS output_tokens,
    if(is_llm, duration_ms * (0.05 + 0.17 * dice(4)), NULL) AS first_token_ms,
    if(is_llm, first_token_ms * 0.4 * dice(5), NULL) AS waiting_ms,
    if(is_model, toDecimal128((ifNull(input_tokens, 800) * 0.2 + ifNull(output_tokens, 200) * 0.6) / 1000000, 12), NULL) AS cost,
    lower(hex(hash(6))) AS request,
    {finish_reasons:Array(String)}[hash(7) % length({finish_reasons:Array(String)}) + 1] AS finish_reason,
    ['CUDA out of memory', 'upstream timed out after 30 s', 'context length exceeded', 'worker lost'][hash(8) % 4 + 1] AS message,
    sort = 'http' OR place_in_trace = 0 AS is_request,
    if(failed, 1, 0) AS event_count,
    length(pods.resource_uuids) AS gpu_count,
    pods.readable AS is_read
SELECT
    tenant,
    trace_id,
    reinterpretAsFixedString(sipHash64({seed:UInt64}, trace, place_in_trace)) AS span_id,
    if(place_in_trace = 0,
        toFixedString('', 8),
        reinterpretAsFixedString(sipHash64({seed:UInt64}, trace, parent_in_trace))) AS parent_span_id,
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS start_time,
    fromUnixTimestamp64Nano(end_ns, 'UTC') AS end_time,
    step AS name,
    kind AS kind,
    multiIf(failed, 'error', is_model OR is_request, 'ok', 'unset') AS status,
    if(failed, message, '') AS status_message,

    pods.resource_id AS resource_id,
    service AS service_name,
    pods.version AS service_version,
    environment,
    pods.host AS host,
    pods.name AS pod,
    pods.pid AS pid,
    multiIf(is_model, 'vllm.llm_engine', is_request, 'opentelemetry.instrumentation.fastapi', service) AS scope_name,
    if(is_model OR is_request, '0.52b1', '1.4.0') AS scope_version,

    if(is_model OR sort = 'call', models.model, '') AS model_name,
    if(is_llm, 'vllm', '') AS provider,
    multiIf(is_llm, 'chat', is_model, sort, '') AS inference_type,
    input_tokens AS tokens_input,
    output_tokens AS tokens_output,
    if(is_llm, toInt64(input_tokens * 0.5 * dice(9)), NULL) AS tokens_cached,
    if(is_llm, output_tokens / ((duration_ms - first_token_ms) / 1000), NULL) AS tokens_per_second,
    first_token_ms AS ttft_ms,
    waiting_ms AS queue_ms,
    if(sort IN ('embedding', 'rerank'), toInt64(1 + hash(10) % 64), NULL) AS batch_size,
    if(sort = 'image', toInt64(20 + hash(10) % 31), NULL) AS diffusion_steps,
    if(sort = 'image', 1 + intDiv(hash(11) % 20, 2) / 2., NULL) AS cfg_scale,
    cost AS cost_usd,
    if(is_llm, concat('chatcmpl-', request), '') AS request_id,
    if(is_request OR is_llm, user, '') AS user_id,
    if(is_request OR is_llm, session, '') AS session_id,

    multiIf(
        is_request, map(
            'http.request.method', 'POST', 'http.route', route, 'url.path', route, 'url.scheme', 'https',
            'network.protocol.version', '2', 'server.address', concat(service, '.inference.svc'),
            'client.address', concat('10.', toString(hash(12) % 32), '.', toString(hash(13) % 256), '.', toString(hash(14) % 256)),
            'user_agent.original', ['python-httpx/0.28.1', 'OpenAI/Python 1.99.1', 'okhttp/4.12.0'][hash(15) % 3 + 1],
            'user.id', user, 'session.id', session, 'request.id', concat('req-', request),
            'tenant.plan', ['free', 'team', 'enterprise'][hash(16) % 3 + 1]),
        is_llm, mapUpdate(
            map(
                'gen_ai.operation.name', 'chat', 'gen_ai.provider.name', 'vllm', 'gen_ai.request.model', models.model,
                'gen_ai.response.model', models.model, 'gen_ai.response.id', concat('chatcmpl-', request),
                'gen_ai.conversation.id', session, 'enduser.id', user, 'server.address', pods.host),
            if(hash(17) % 20 = 0,
                map('gen_ai.input.messages', substring({text:String}, 1 + hash(18) % 4000, 1000 + hash(19) % 7000)),
                map())),
        is_model, map(
            'ai.model.name', models.model, 'ai.inference.type', CAST(sort, 'String'), 'ai.request.id', concat('req-', request),
            'code.function.name', step, 'server.address', pods.host, 'queue.name', concat(service, '-gpu')),
        map(
            'code.function.name', step, 'code.file.path', concat('/app/', service, '/handlers.py'),
            'rpc.system', 'grpc', 'rpc.service', concat('axonize.', service), 'rpc.method', step,
            'server.address', concat(service, '.inference.svc'), 'thread.name', concat('worker-', toString(hash(12) % 16)),
            'peer.service', ['redis', 'qdrant', 'postgres', 's3'][hash(13) % 4 + 1])) AS attributes_string,
    CAST(multiIf(
        is_request, map(
            'http.response.status_code', if(failed, [500, 503, 504][hash(20) % 3 + 1], 200),
            'http.request.body.size', 200 + hash(21) % 9000, 'http.response.body.size', 100 + hash(22) % 60000, 'server.port', 8000),
        is_llm, map(
            'gen_ai.usage.input_tokens', assumeNotNull(input_tokens), 'gen_ai.usage.output_tokens', assumeNotNull(output_tokens),
            'gen_ai.usage.cached_tokens', toInt64(assumeNotNull(input_tokens) * 0.5 * dice(9)),
            'gen_ai.request.max_tokens', 1024, 'gen_ai.request.seed', hash(20) % 1000000),
        is_model, map(
            'ai.inference.batch_size', 1 + hash(10) % 64, 'ai.diffusion.steps', 20 + hash(10) % 31, 'input.bytes', hash(21) % 1000000,
            'output.bytes', hash(22) % 100000, 'retry.count', hash(23) % 2),
        map(
            'thread.id', hash(20) % 64, 'server.port', 50051, 'rpc.grpc.status_code', failed * 4, 'rows', hash(21) % 1000,
            'retry.count', hash(22) % 3)), 'Map(String, Int64)') AS attributes_int,
    CAST(multiIf(
        is_llm, map(
            'gen_ai.request.temperature', intDiv(hash(24) % 11, 1) / 10., 'gen_ai.request.top_p', 0.95,
            'gen_ai.latency.time_to_first_token', assumeNotNull(first_token_ms) / 1000,
            'gen_ai.latency.time_in_queue', assumeNotNull(waiting_ms) / 1000, 'cost.usd', toFloat64(assumeNotNull(cost))),
        is_model, map('cost.usd', toFloat64(assumeNotNull(cost)), 'ai.diffusion.cfg_scale', 1 + intDiv(hash(11) % 20, 2) / 2.),
        is_request, map('http.server.request.queue_ms', 4 * dice(25)),
        map()), 'Map(String, Float64)') AS attributes_double,
    CAST(multiIf(
        is_request, map('cache.hit', hash(26) % 4 = 0),
        is_llm, map('gen_ai.request.stream', hash(26) % 3 > 0),
        map()), 'Map(String, Bool)') AS attributes_bool,
    CAST(if(is_llm,
        map('gen_ai.response.finish_reasons', unhex(finish_reason)),
        map()), 'Map(String, String)') AS attributes_encoded,

    arrayWithConstant(event_count, toUInt64(end_ns)) AS `events.time_unix_nano`,
    arrayWithConstant(event_count, 'exception') AS `events.name`,
    arrayWithConstant(event_count, [unhex({exception_type:String})]) AS `events.attributes`,
    arrayWithConstant(event_count, toUInt32(0)) AS `events.dropped_attributes_count`,

    pods.resource_uuids AS `gpus.resource_uuid`,
    pods.physical_uuids AS `gpus.physical_uuid`,
    arrayWithConstant(gpu_count, pods.card) AS `gpus.model`,
    arrayWithConstant(gpu_count, 'NVIDIA') AS `gpus.vendor`,
    arrayWithConstant(gpu_count, pods.host) AS `gpus.node_id`,
    pods.resource_types AS `gpus.resource_type`,
    arrayMap(at -> concat('cuda:', toString(at)), range(gpu_count)) AS `gpus.user_label`,
    arrayMap(at -> is_read * (35 + 0.6 * (hash(30 + at) % 100)), range(gpu_count)) AS `gpus.utilization`,
    arrayMap(at -> is_read * pods.memory_gb[at + 1] * (0.6 + 0.0035 * (hash(40 + at) % 100)), range(gpu_count)) AS `gpus.memory_used_gb`,
    pods.memory_gb AS `gpus.memory_total_gb`,
    arrayMap(at -> is_read * (40 + hash(50 + at) % 40), range(gpu_count)) AS `gpus.temperature_celsius`,
    arrayMap(at -> is_read * round(pods.max_watts * (0.3 + 0.006 * (hash(60 + at) % 100))), range(gpu_count)) AS `gpus.power_watts`,
    arrayWithConstant(gpu_count, is_read * 1410) AS `gpus.clock_mhz`
FROM
(
    -- One row a span: its place in the trace, its parent, its times and its pods.
    SELECT
        *,
        pods_first + generation * {pods_a_generation:UInt32}
            + cityHash64({seed:UInt64}, trace, stage_in_trace, service) % pods_count AS pod_number,
        model_pods_first + generation * {pods_a_generation:UInt32}
            + cityHash64({seed:UInt64}, trace, stage_in_trace, model_service) % model_pods_count AS model_pod_number,
        multiIf(place_in_trace = 0 OR place = 0, 0,
            place > 1 AND nested, place_in_trace - place + 1,
            place_in_trace - place) AS parent_in_trace,
        if(place_in_trace = 0, trace_start_ns, trace_start_ns + toInt64(trace_ns * (0.01 + 0.98 * (stage_in_trace + step_begin) / stages))) AS start_ns,
        if(place_in_trace = 0, trace_start_ns + trace_ns, trace_start_ns + toInt64(trace_ns * (0.01 + 0.98 * (stage_in_trace + step_end) / stages))) AS end_ns,
        trace_failed AND (place_in_trace = 0 OR (stage_in_trace = failed_stage AND (place < 2 OR (place = 3 AND nested)))) AS failed
    FROM
    (
        SELECT
            *,
            place_in_trace,
            if(place_in_trace = 0, -1, intDiv(place_in_trace - 1, 4)) AS stage_in_trace,
            if(place_in_trace = 0, 0, (place_in_trace - 1) % 4) AS place,
            if(place_in_trace = 0, -1, stage_in_trace % {stages_of_flows:Array(UInt8)}[flow]) AS stage
        FROM ({traces})
        ARRAY JOIN range(span_count) AS place_in_trace
    ) AS spans
    INNER JOIN bench_query.steps AS steps USING (realm, flow, stage, place)
) AS spans
INNER JOIN bench_query.pods AS pods ON pods.number = spans.pod_number
INNER JOIN bench_query.pods AS models ON models.number = spans.model_pod_number
