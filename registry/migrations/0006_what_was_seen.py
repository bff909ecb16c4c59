"""Sorts what stands in the registry into what was seen and what operators set; ends of contexts likewise.

A card's value that its resources' own spans also say was seen. Anything else is taken to be an operator's, so nothing
that they corrected is lost; the next synchronisation reads all sightings and puts what was seen beside it.
"""

from django.db import migrations

NODES = """
    INSERT INTO registry_node (
        tenant_id, name, cloud_provider, region, zone, machine_type, driver_version, cuda_version, labels,
        first_seen, last_seen)
    SELECT tenant_id, name, '', '', '', '', '', '', '{}', min(first_seen), max(last_seen)
    FROM (
        SELECT tenant_id, former_node AS name, first_seen, last_seen FROM registry_physicalgpu
        UNION ALL
        SELECT tenant_id, former_seen_node, first_seen, last_seen FROM registry_computeresource
    ) AS told
    WHERE name <> ''
    GROUP BY tenant_id, name
"""

CARD_TEXT = """
    UPDATE registry_physicalgpu AS card
    SET seen_{0} = card.set_{0}, set_{0} = ''
    WHERE card.set_{0} <> '' AND EXISTS (
        SELECT FROM registry_computeresource AS resource
        WHERE resource.set_physical_id = card.id AND resource.seen_{0} = card.set_{0})
"""

CARD_NODES = """
    UPDATE registry_physicalgpu AS card
    SET
        seen_node_id = CASE WHEN told.was_seen THEN told.node_id END,
        set_node_id = CASE WHEN told.was_seen THEN NULL ELSE told.node_id END
    FROM (
        SELECT
            card.id, node.id AS node_id,
            EXISTS (
                SELECT FROM registry_computeresource AS resource
                WHERE resource.set_physical_id = card.id AND resource.former_seen_node = card.former_node
            ) AS was_seen
        FROM registry_physicalgpu AS card
        JOIN registry_node AS node ON node.tenant_id = card.tenant_id AND node.name = card.former_node
    ) AS told
    WHERE told.id = card.id
"""

RESOURCE_NODES = """
    UPDATE registry_computeresource AS resource
    SET seen_node_id = node.id
    FROM registry_node AS node
    WHERE node.tenant_id = resource.tenant_id AND node.name = resource.former_seen_node
"""

# A full card is on itself whoever says so, and its memory is the card's.
CARD_MEMORY = """
    UPDATE registry_physicalgpu AS card
    SET seen_memory_total_gb = card.set_memory_total_gb, set_memory_total_gb = NULL
    FROM registry_computeresource AS resource
    WHERE resource.set_physical_id = card.id
        AND resource.uuid = card.uuid
        AND resource.set_memory_total_gb = card.set_memory_total_gb
"""
FULL_CARDS = """
    UPDATE registry_computeresource AS resource
    SET
        seen_physical_id = card.id,
        set_physical_id = NULL,
        seen_resource_type = CASE WHEN resource.set_resource_type = 'full_gpu' THEN 'full_gpu' ELSE '' END,
        set_resource_type = CASE WHEN resource.set_resource_type = 'full_gpu' THEN '' ELSE resource.set_resource_type END,
        seen_memory_total_gb = card.seen_memory_total_gb,
        set_memory_total_gb = CASE
            WHEN card.seen_memory_total_gb = resource.set_memory_total_gb THEN NULL ELSE resource.set_memory_total_gb
        END
    FROM registry_physicalgpu AS card
    WHERE resource.set_physical_id = card.id AND resource.uuid = card.uuid
"""

# Until now an end stood for good, whoever made it. The last one of a holder who fell silent is a conclusion from now on.
ENDS = """
    UPDATE registry_resourcecontext AS context
    SET ended_by = CASE
        WHEN ranked.place = 1 AND context.detached_at = greatest(context.attached_at, context.last_seen) THEN 'silence'
        ELSE 'operator'
    END
    FROM (
        SELECT id, row_number() OVER (
            PARTITION BY resource_id, user_label, hostname, pod, process_id
            ORDER BY (detached_at IS NULL) DESC, attached_at DESC, id DESC) AS place
        FROM registry_resourcecontext
    ) AS ranked
    WHERE ranked.id = context.id AND context.detached_at IS NOT NULL
"""


# The way back: what counts, whoever said it.
CARDS_AS_BEFORE = """
    UPDATE registry_physicalgpu AS card
    SET
        set_model = coalesce(nullif(card.set_model, ''), card.seen_model),
        set_vendor = coalesce(nullif(card.set_vendor, ''), card.seen_vendor),
        set_memory_total_gb = coalesce(card.set_memory_total_gb, card.seen_memory_total_gb),
        former_node = coalesce(
            (SELECT name FROM registry_node AS node WHERE node.id = coalesce(card.set_node_id, card.seen_node_id)), '')
"""
RESOURCES_AS_BEFORE = """
    UPDATE registry_computeresource AS resource
    SET
        set_physical_id = coalesce(resource.set_physical_id, resource.seen_physical_id),
        set_resource_type = coalesce(nullif(resource.set_resource_type, ''), resource.seen_resource_type),
        set_memory_total_gb = coalesce(resource.set_memory_total_gb, resource.seen_memory_total_gb),
        former_seen_node = coalesce(
            (SELECT name FROM registry_node AS node WHERE node.id = resource.seen_node_id), '')
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_set_and_seen")]

    operations = [
        migrations.RunSQL(statement, reverse_sql=migrations.RunSQL.noop)
        for statement in (
            NODES,
            CARD_TEXT.format("model"),
            CARD_TEXT.format("vendor"),
            CARD_NODES,
            RESOURCE_NODES,
            CARD_MEMORY,
            FULL_CARDS,
            ENDS,
        )
    ] + [migrations.RunSQL(migrations.RunSQL.noop, reverse_sql=[CARDS_AS_BEFORE, RESOURCES_AS_BEFORE])]
