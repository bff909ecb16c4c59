-- What filters, lists and charts ask of a span as columns, the rest as one text: a JSON object of the API's names, without what is
-- unset. Attributes are in it by type, last, for the API makes one object of them; what of them, and of events, links and the
-- scope, is no plain value is the protobuf of OTLP, byte by byte.
CREATE MATERIALIZED VIEW IF NOT EXISTS mapped_spans_to_spans TO spans AS
SELECT
    tenant, trace_id, span_id, parent_span_id, start_time, end_time, name, status, resource_id, service_name, environment,
    model_name, tokens_input, tokens_output, tokens_per_second, ttft_ms, queue_ms, cost_usd, facet,
    `gpus.resource_uuid`, `gpus.utilization`, `gpus.memory_used_gb`, `gpus.memory_total_gb`,
    `gpus.temperature_celsius`, `gpus.power_watts`, `gpus.clock_mhz`,
    toJSONString(CAST(
        tuple(
            kind, nullIf(status_message, ''),
            nullIf(service_version, ''), nullIf(host, ''), nullIf(pod, ''), pid,
            nullIf(model_version, ''), nullIf(provider, ''), nullIf(inference_type, ''),
            tokens_cached, prefill_ms, decode_ms, inference_ms,
            batch_size, diffusion_steps, cfg_scale, energy_wh,
            nullIf(request_id, ''), nullIf(user_id, ''), nullIf(session_id, ''),
            nullIf(trace_state, ''), nullIf(flags, 0),
            nullIf(dropped_attributes_count, 0), nullIf(dropped_events_count, 0), nullIf(dropped_links_count, 0),
            tuple(scope_name, scope_version, scope_attributes),
            arrayZip(`gpus.resource_uuid`, `gpus.physical_uuid`, `gpus.model`, `gpus.vendor`, `gpus.node_id`, `gpus.resource_type`, `gpus.user_label`, `gpus.utilization`, `gpus.memory_used_gb`, `gpus.memory_total_gb`, `gpus.temperature_celsius`, `gpus.power_watts`, `gpus.clock_mhz`),
            arrayZip(`events.time_unix_nano`, `events.name`, `events.attributes`, `events.dropped_attributes_count`),
            arrayZip(`links.trace_id`, `links.span_id`, `links.trace_state`, `links.attributes`, `links.dropped_attributes_count`, `links.flags`),
            attributes_string, attributes_int, attributes_bool, attributes_double, attributes_encoded),
        'Tuple(
            kind String, error_message Nullable(String),
            service_version Nullable(String), host Nullable(String), pod Nullable(String), pid Nullable(Int64),
            model_version Nullable(String), provider Nullable(String), inference_type Nullable(String),
            tokens_cached Nullable(Int64), prefill_ms Nullable(Float64), decode_ms Nullable(Float64), inference_ms Nullable(Float64),
            batch_size Nullable(Int64), diffusion_steps Nullable(Int64), cfg_scale Nullable(Float64), energy_wh Nullable(Float64),
            request_id Nullable(String), user_id Nullable(String), session_id Nullable(String),
            trace_state Nullable(String), flags Nullable(UInt32),
            dropped_attributes_count Nullable(UInt32), dropped_events_count Nullable(UInt32), dropped_links_count Nullable(UInt32),
            scope Tuple(name String, version String, attributes Array(String)),
            gpus Array(Tuple(
                resource_uuid String, physical_uuid String, model String, vendor String, node_id String, resource_type String, user_label String,
                utilization Nullable(Float64), memory_used_gb Nullable(Float64), memory_total_gb Nullable(Float64),
                temperature_celsius Nullable(Float64), power_watts Nullable(Float64), clock_mhz Nullable(Float64))),
            events Array(Tuple(time_unix_nano UInt64, name String, attributes Array(String), dropped_attributes_count UInt32)),
            links Array(Tuple(
                trace_id String, span_id String, trace_state String, attributes Array(String), dropped_attributes_count UInt32, flags UInt32)),
            attributes_string Map(String, String), attributes_int Map(String, Int64), attributes_bool Map(String, Bool),
            attributes_double Map(String, Float64), attributes_encoded Map(String, String))')) AS detail,
    arrayConcat(
        arrayMap((key, value) -> cityHash64(key, value), mapKeys(attributes_string), mapValues(attributes_string)),
        arrayMap((key, value) -> cityHash64(key, value), mapKeys(attributes_int), mapValues(attributes_int)),
        arrayMap(
            (key, value) -> cityHash64(key, 'double', if(isNaN(value), nan, value + 0.)),
            mapKeys(attributes_double), mapValues(attributes_double)),
        arrayMap((key, value) -> cityHash64(key, toString(value)), mapKeys(attributes_bool), mapValues(attributes_bool)),
        arrayMap((key, value) -> cityHash64(key, 'encoded', value), mapKeys(attributes_encoded), mapValues(attributes_encoded))) AS attribute_hashes
FROM mapped_spans
SETTINGS
    output_format_json_skip_null_value_in_named_tuples = 1,
    output_format_json_quote_denormals = 1,
    output_format_json_quote_64bit_integers = 0,
    output_format_json_escape_forward_slashes = 0
