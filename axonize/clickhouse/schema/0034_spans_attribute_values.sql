-- attr.KEY=VALUE: skips the stretches of spans in which no attribute has the value, so a needle is found in a month. One
-- filter holds all types' values by their hash; analytics/queries/attribute_search.py asks it with the same expression.
ALTER TABLE spans ADD INDEX IF NOT EXISTS attribute_values
    arrayConcat(
        arrayMap(value -> cityHash64(value), mapValues(attributes_string)),
        arrayMap(value -> cityHash64(value), mapValues(attributes_int)),
        arrayMap(value -> cityHash64(value), mapValues(attributes_double)),
        arrayMap(value -> cityHash64(value), mapValues(attributes_encoded)))
    TYPE bloom_filter(0.01) GRANULARITY 1
