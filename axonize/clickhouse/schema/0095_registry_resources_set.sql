-- What operators set, which counts more than what a span says of its GPU; the other columns are what counts where it says nothing.
ALTER TABLE registry_resources
    ADD COLUMN IF NOT EXISTS set_physical_uuid String,
    ADD COLUMN IF NOT EXISTS set_model String,
    ADD COLUMN IF NOT EXISTS set_vendor String,
    ADD COLUMN IF NOT EXISTS set_node_id String,
    ADD COLUMN IF NOT EXISTS set_resource_type String
