-- GET /traces/{trace_id}: all that only the page of a span shows, as one JSON object of the API's names. Reading, merging and planning
-- cost by the column, and this takes the place of some seventy (decision 0011); 0076 says what is in it.
--
-- attr.KEY=VALUE: a number for each attribute of a span, its key and value in one. The index skips the stretches of spans that have
-- none of the numbers, so a needle is found in a month. All NaN are one value, so are 0 and -0, and a bool is its text. LZ4, for
-- reading a month of it is what such a search costs.
--
-- The defaults are of the spans that were there before. 0076's settings are not in force there, hence the pattern and the quotes.
ALTER TABLE spans
    ADD COLUMN IF NOT EXISTS detail String DEFAULT replaceRegexpAll(
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
                    attributes_string, attributes_int, attributes_bool, mapApply((key, value) -> (key, toString(value)), attributes_double), attributes_encoded),
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
                    attributes_double Map(String, String), attributes_encoded Map(String, String))')),
        '"(?:error_message|service_version|host|pod|pid|model_version|provider|inference_type|tokens_cached|prefill_ms|decode_ms|inference_ms|batch_size|diffusion_steps|cfg_scale|energy_wh|request_id|user_id|session_id|trace_state|flags|dropped_attributes_count|dropped_events_count|dropped_links_count)":null,', '')
        CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS attribute_hashes Array(UInt64) DEFAULT arrayConcat(
        arrayMap((key, value) -> cityHash64(key, value), mapKeys(attributes_string), mapValues(attributes_string)),
        arrayMap((key, value) -> cityHash64(key, value), mapKeys(attributes_int), mapValues(attributes_int)),
        arrayMap(
            (key, value) -> cityHash64(key, 'double', if(isNaN(value), nan, value + 0.)),
            mapKeys(attributes_double), mapValues(attributes_double)),
        arrayMap((key, value) -> cityHash64(key, toString(value)), mapKeys(attributes_bool), mapValues(attributes_bool)),
        arrayMap((key, value) -> cityHash64(key, 'encoded', value), mapKeys(attributes_encoded), mapValues(attributes_encoded)))
        CODEC(LZ4),
    ADD INDEX IF NOT EXISTS attribute_hashes_bloom attribute_hashes TYPE bloom_filter(0.01) GRANULARITY 1
