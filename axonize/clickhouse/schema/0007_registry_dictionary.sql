-- The same in memory. It answers, for any query over spans or GPUs: which card is this resource on, and what is it?
-- SYSTEM RELOAD DICTIONARY makes a change visible at once. It reads as the user that CLICKHOUSE_URL names when it is made.
CREATE DICTIONARY IF NOT EXISTS registry
(
    tenant String,
    resource_uuid String,
    physical_uuid String DEFAULT '',
    model String DEFAULT '',
    vendor String DEFAULT '',
    node_id String DEFAULT '',
    resource_type String DEFAULT '',
    cost_per_hour_usd Nullable(Decimal(18, 6))
)
PRIMARY KEY tenant, resource_uuid
SOURCE(CLICKHOUSE(USER '{user}' PASSWORD '{password}' QUERY 'SELECT tenant, resource_uuid, physical_uuid, model, vendor, node_id, resource_type, cost_per_hour_usd FROM {database}.registry_resources FINAL'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 30 MAX 60)
