"""Sightings into PostgreSQL: six statements for any number of them, each of which changes nothing when repeated.

A sighting adds what is new, fills what is blank and widens times. What stands is never overwritten: it may be an
operator's correction.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import connection

from registry.sightings import Sighting

# A row's key, what is said of it, first_seen, last_seen.
Row = tuple[Any, ...]

_ADD_TENANTS: Final = """
INSERT INTO registry_tenant (slug, name, created_at)
SELECT slug, slug, now() FROM unnest(%s::text[]) AS seen (slug)
ON CONFLICT (slug) DO NOTHING
"""

_FILL_CARDS: Final = """
INSERT INTO registry_physicalgpu AS card (
    tenant_id, uuid, model, vendor, node_id, memory_total_gb, first_seen, last_seen)
SELECT
    tenant.id, seen.uuid, seen.model, seen.vendor, seen.node_id, seen.memory_total_gb, seen.first_seen, seen.last_seen
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::timestamptz[],
            %s::timestamptz[])
    AS seen (tenant, uuid, model, vendor, node_id, memory_total_gb, first_seen, last_seen)
JOIN registry_tenant AS tenant ON tenant.slug = seen.tenant
ON CONFLICT (tenant_id, uuid) DO UPDATE SET
    model = coalesce(nullif(card.model, ''), excluded.model),
    vendor = coalesce(nullif(card.vendor, ''), excluded.vendor),
    node_id = coalesce(nullif(card.node_id, ''), excluded.node_id),
    memory_total_gb = coalesce(card.memory_total_gb, excluded.memory_total_gb)
WHERE (card.model = '' AND excluded.model <> '')
    OR (card.vendor = '' AND excluded.vendor <> '')
    OR (card.node_id = '' AND excluded.node_id <> '')
    OR (card.memory_total_gb IS NULL AND excluded.memory_total_gb IS NOT NULL)
"""

_FILL_RESOURCES: Final = """
INSERT INTO registry_computeresource AS resource (
    tenant_id, uuid, physical_id, resource_type, memory_total_gb, seen_model, seen_vendor, seen_node_id,
    first_seen, last_seen)
SELECT
    tenant.id, seen.uuid, card.id, seen.resource_type, seen.memory_total_gb, seen.model, seen.vendor, seen.node_id,
    seen.first_seen, seen.last_seen
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::text[], %s::text[], %s::text[],
            %s::timestamptz[], %s::timestamptz[])
    AS seen (tenant, uuid, card, resource_type, memory_total_gb, model, vendor, node_id, first_seen, last_seen)
JOIN registry_tenant AS tenant ON tenant.slug = seen.tenant
LEFT JOIN registry_physicalgpu AS card ON card.tenant_id = tenant.id AND card.uuid = seen.card
ON CONFLICT (tenant_id, uuid) DO UPDATE SET
    physical_id = coalesce(resource.physical_id, excluded.physical_id),
    resource_type = coalesce(nullif(resource.resource_type, ''), excluded.resource_type),
    memory_total_gb = coalesce(resource.memory_total_gb, excluded.memory_total_gb),
    seen_model = coalesce(nullif(resource.seen_model, ''), excluded.seen_model),
    seen_vendor = coalesce(nullif(resource.seen_vendor, ''), excluded.seen_vendor),
    seen_node_id = coalesce(nullif(resource.seen_node_id, ''), excluded.seen_node_id)
WHERE (resource.physical_id IS NULL AND excluded.physical_id IS NOT NULL)
    OR (resource.resource_type = '' AND excluded.resource_type <> '')
    OR (resource.memory_total_gb IS NULL AND excluded.memory_total_gb IS NOT NULL)
    OR (resource.seen_model = '' AND excluded.seen_model <> '')
    OR (resource.seen_vendor = '' AND excluded.seen_vendor <> '')
    OR (resource.seen_node_id = '' AND excluded.seen_node_id <> '')
"""

_WIDEN: Final = """
UPDATE {table} AS known
SET first_seen = least(known.first_seen, seen.first_seen), last_seen = greatest(known.last_seen, seen.last_seen)
FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS seen (tenant, uuid, first_seen, last_seen)
JOIN registry_tenant AS tenant ON tenant.slug = seen.tenant
WHERE known.tenant_id = tenant.id
    AND known.uuid = seen.uuid
    AND (known.first_seen IS NULL OR known.last_seen IS NULL
         OR seen.first_seen < known.first_seen OR seen.last_seen > known.last_seen)
"""
_WIDEN_CARDS: Final = _WIDEN.format(table="registry_physicalgpu")
_WIDEN_RESOURCES: Final = _WIDEN.format(table="registry_computeresource")

# A holder who comes back after a context of his was closed opens a new one, and not before the old one's end.
_ATTACH: Final = """
INSERT INTO registry_resourcecontext AS held (
    resource_id, user_label, hostname, pod, process_id, labels, attached_at, last_seen)
SELECT
    resource.id, seen.user_label, seen.hostname, seen.pod, seen.process_id, '{}'::jsonb,
    greatest(seen.first_seen, past.detached_at), seen.last_seen
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[],
            %s::timestamptz[])
    AS seen (tenant, resource, user_label, hostname, pod, process_id, first_seen, last_seen)
JOIN registry_tenant AS tenant ON tenant.slug = seen.tenant
JOIN registry_computeresource AS resource ON resource.tenant_id = tenant.id AND resource.uuid = seen.resource
LEFT JOIN LATERAL (
    SELECT max(closed.detached_at) AS detached_at
    FROM registry_resourcecontext AS closed
    WHERE closed.resource_id = resource.id
        AND closed.user_label = seen.user_label
        AND closed.hostname = seen.hostname
        AND closed.pod = seen.pod
        AND closed.process_id IS NOT DISTINCT FROM seen.process_id
) AS past ON true
WHERE past.detached_at IS NULL OR past.detached_at < seen.last_seen
ON CONFLICT (resource_id, user_label, hostname, pod, process_id) WHERE detached_at IS NULL DO UPDATE SET
    attached_at = least(held.attached_at, excluded.attached_at),
    last_seen = greatest(held.last_seen, excluded.last_seen)
WHERE excluded.attached_at < held.attached_at OR held.last_seen IS NULL OR excluded.last_seen > held.last_seen
"""


def record_sightings(sightings: Sequence[Sighting]) -> int:
    """Bring the registry up to what was seen; return how many cards and resources are new or had a blank filled.

    Of several sightings of one thing the latest that says a field counts. Run it inside a transaction.
    """
    seen = sorted((s for s in sightings if s.resource_uuid), key=lambda s: s.last_seen)
    tenants = [(slug,) for slug in sorted({s.tenant for s in seen})]
    cards = _merge((_card(s) for s in seen if s.physical_uuid), key_length=2)
    resources = _merge((_resource(s) for s in seen), key_length=2)
    holders = _merge(
        (_holder(s) for s in seen if s.user_label or s.hostname or s.pod or s.process_id is not None), key_length=6
    )
    _execute(_ADD_TENANTS, tenants)
    changed = _execute(_FILL_CARDS, cards) + _execute(_FILL_RESOURCES, resources)
    _execute(_WIDEN_CARDS, [row[:2] + row[-2:] for row in cards])
    _execute(_WIDEN_RESOURCES, [row[:2] + row[-2:] for row in resources])
    _execute(_ATTACH, holders)
    return changed


def _card(s: Sighting) -> Row:
    is_full_card = s.resource_uuid == s.physical_uuid
    memory_gb = s.memory_total_gb if is_full_card else None
    return (s.tenant, s.physical_uuid, s.model, s.vendor, s.node_id, memory_gb, s.first_seen, s.last_seen)


def _resource(s: Sighting) -> Row:
    seen = (s.physical_uuid, s.resource_type, s.memory_total_gb, s.model, s.vendor, s.node_id)
    return (s.tenant, s.resource_uuid, *seen, s.first_seen, s.last_seen)


def _holder(s: Sighting) -> Row:
    who = (s.user_label, s.hostname, s.pod, s.process_id)
    return (s.tenant, s.resource_uuid, *who, s.first_seen, s.last_seen)


def _merge(rows: Iterable[Row], *, key_length: int) -> list[Row]:
    """Make one row of those with the same key: of each fact the last that isn't blank, the first first_seen and so on.

    The rows come in the order of their keys, in which every writer locks them.
    """
    merged: dict[Row, Row] = {}
    for row in rows:
        key = row[:key_length]
        known = merged.get(key, row)
        facts = (new or old for old, new in zip(known[key_length:-2], row[key_length:-2], strict=True))
        merged[key] = (*key, *facts, min(known[-2], row[-2]), max(known[-1], row[-1]))
    return sorted(merged.values(), key=lambda row: tuple(map(str, row[:key_length])))


def _execute(statement: str, rows: Sequence[Row]) -> int:
    """Run a statement whose parameters are arrays, one a column of `rows`; return how many rows it wrote."""
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
        written: int = cursor.rowcount
    return written
