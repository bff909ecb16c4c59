-- In place of 0007's, with what operators set: which card is this resource on, and what is it?
CREATE OR REPLACE DICTIONARY registry
(
    tenant String,
    resource_uuid String,
    physical_uuid String DEFAULT '',
    model String DEFAULT '',
    vendor String DEFAULT '',
    node_id String DEFAULT '',
    resource_type String DEFAULT '',
    set_physical_uuid String DEFAULT '',
    set_model String DEFAULT '',
    set_vendor String DEFAULT '',
    set_node_id String DEFAULT '',
    set_resource_type String DEFAULT '',
    cost_per_hour_usd Nullable(Decimal(18, 6))
)
PRIMARY KEY tenant, resource_uuid
SOURCE(CLICKHOUSE(USER '{user}' PASSWORD '{password}' QUERY 'SELECT tenant, resource_uuid, physical_uuid, model, vendor, node_id, resource_type, set_physical_uuid, set_model, set_vendor, set_node_id, set_resource_type, cost_per_hour_usd FROM {database}.registry_resources FINAL'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 30 MAX 60)
