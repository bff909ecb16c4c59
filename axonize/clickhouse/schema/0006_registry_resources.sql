-- The registry's word on each compute resource, mirrored from PostgreSQL by registry.mirror; the newest version wins.
CREATE TABLE IF NOT EXISTS registry_resources
(
    tenant String,
    resource_uuid String,
    physical_uuid String,
    model String,
    vendor String,
    node_id String,
    resource_type String,
    cost_per_hour_usd Nullable(Decimal(18, 6)),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, resource_uuid)
