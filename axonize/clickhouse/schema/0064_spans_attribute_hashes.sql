-- attr.KEY=VALUE: a number for each attribute of a span, its key and value in one; of eight bytes, where the maps have some
-- hundred to be read and compared. The index skips the stretches of spans that have none of the numbers, so a needle is found in a
-- month. All NaN are one value, so are 0 and -0, and a bool is its text. LZ4, for reading a month of it is what such a search costs.
ALTER TABLE spans
    ADD COLUMN IF NOT EXISTS attribute_hashes Array(UInt64) MATERIALIZED arrayConcat(
        arrayMap((key, value) -> cityHash64(key, value), mapKeys(attributes_string), mapValues(attributes_string)),
        arrayMap((key, value) -> cityHash64(key, value), mapKeys(attributes_int), mapValues(attributes_int)),
        arrayMap(
            (key, value) -> cityHash64(key, 'double', if(isNaN(value), nan, value + 0.)),
            mapKeys(attributes_double), mapValues(attributes_double)),
        arrayMap((key, value) -> cityHash64(key, toString(value)), mapKeys(attributes_bool), mapValues(attributes_bool)),
        arrayMap((key, value) -> cityHash64(key, 'encoded', value), mapKeys(attributes_encoded), mapValues(attributes_encoded)))
        CODEC(LZ4),
    ADD INDEX IF NOT EXISTS attribute_hashes_bloom attribute_hashes TYPE bloom_filter(0.01) GRANULARITY 1
