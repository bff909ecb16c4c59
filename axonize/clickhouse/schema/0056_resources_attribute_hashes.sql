-- attr.KEY=VALUE: as in `spans`, 0076; resources are few, so they are hashed when they are asked for.
ALTER TABLE resources
    ADD COLUMN IF NOT EXISTS attribute_hashes Array(UInt64) ALIAS arrayConcat(
        arrayMap((key, value) -> cityHash64(key, value), mapKeys(attributes_string), mapValues(attributes_string)),
        arrayMap((key, value) -> cityHash64(key, value), mapKeys(attributes_int), mapValues(attributes_int)),
        arrayMap(
            (key, value) -> cityHash64(key, 'double', if(isNaN(value), nan, value + 0.)),
            mapKeys(attributes_double), mapValues(attributes_double)),
        arrayMap((key, value) -> cityHash64(key, toString(value)), mapKeys(attributes_bool), mapValues(attributes_bool)),
        arrayMap((key, value) -> cityHash64(key, 'encoded', value), mapKeys(attributes_encoded), mapValues(attributes_encoded)))
