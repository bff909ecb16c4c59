"""Sightings into PostgreSQL: five statements for any number of them, each of which changes nothing when repeated.

A sighting adds what is new, keeps what was seen fresh and widens times. What an operator set stands in columns of its
own (registry.models.facts), which nothing here writes.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection

from registry.conclusions import conclude_contexts
from registry.layouts import retire_old_layouts
from registry.models.compute_resource import FULL_CARD
from registry.sightings import Sighting

# When it was said, and what.
Fact = tuple[datetime, Any]
# A row's key, its facts by name, and the sighting that says them.
Told = tuple[tuple[Any, ...], dict[str, Fact], Sighting]
# A row's key, each fact and when it was said, both None where it was not, first_seen, last_seen.
Row = tuple[Any, ...]
_NOT_SAID: Final = (None, None)
_CARD_WORDS: Final = ("model", "vendor", "node", "memory_total_gb")
_RESOURCE_WORDS: Final = ("card", "resource_type", "memory_total_gb", "model", "vendor", "node")
# When a fact was seen that is only implied: whenever a sighting says it, that counts.
_IMPLIED_AT: Final = datetime(1970, 1, 1, tzinfo=UTC)

_ADD_TENANTS: Final = """
INSERT INTO registry_tenant (slug, name, created_at)
SELECT slug, slug, now() FROM unnest(%s::text[]) AS seen (slug)
ON CONFLICT (slug) DO NOTHING
"""

_ADD_NODES: Final = """
INSERT INTO registry_node AS known (
    tenant_id, name, cloud_provider, region, zone, machine_type, driver_version, cuda_version, labels,
    first_seen, last_seen)
SELECT tenant.id, seen.name, '', '', '', '', '', '', '{}', seen.first_seen, seen.last_seen
FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS seen (tenant, name, first_seen, last_seen)
JOIN registry_tenant AS tenant ON tenant.slug = seen.tenant
ON CONFLICT (tenant_id, name) DO UPDATE SET
    first_seen = least(known.first_seen, excluded.first_seen), last_seen = greatest(known.last_seen, excluded.last_seen)
WHERE known.first_seen IS NULL OR excluded.first_seen < known.first_seen OR excluded.last_seen > known.last_seen
"""

# The latest that says a fact counts: a fact said later replaces it, and the time that it was said at only moves on.
_KEEP_FRESH: Final = """
    seen_{0} = CASE
        WHEN excluded.seen_{1}_at > coalesce(known.seen_{1}_at, '-infinity') THEN excluded.seen_{0}
        ELSE known.seen_{0}
    END,
    seen_{1}_at = greatest(known.seen_{1}_at, excluded.seen_{1}_at)"""
_WIDEN: Final = """
    first_seen = least(known.first_seen, excluded.first_seen),
    last_seen = greatest(known.last_seen, excluded.last_seen)
WHERE known.first_seen IS NULL OR excluded.first_seen < known.first_seen OR excluded.last_seen > known.last_seen"""
_IS_FRESHER: Final = """
    OR excluded.seen_{1}_at > coalesce(known.seen_{1}_at, '-infinity')"""
_CARD_FACTS: Final = (("model", "model"), ("vendor", "vendor"), ("node_id", "node"), ("memory_total_gb",) * 2)
_RESOURCE_FACTS: Final = (("physical_id", "physical"), ("resource_type",) * 2, *_CARD_FACTS[3:], *_CARD_FACTS[:3])

# `before` is what stood when the statement began; it answers with how many had a fact changed.
_SEE_CARDS: Final = f"""
WITH seen AS (
    SELECT tenant.id AS tenant_id, told.*, node.id AS node_id
    FROM unnest(
            %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::text[],
            %s::timestamptz[], %s::float8[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
        AS told (
            tenant, uuid, model, model_at, vendor, vendor_at, node, node_at, memory_total_gb, memory_total_gb_at,
            first_seen, last_seen)
    JOIN registry_tenant AS tenant ON tenant.slug = told.tenant
    LEFT JOIN registry_node AS node ON node.tenant_id = tenant.id AND node.name = told.node
), before AS (
    SELECT known.id, known.seen_model, known.seen_vendor, known.seen_node_id, known.seen_memory_total_gb
    FROM registry_physicalgpu AS known
    JOIN seen USING (tenant_id, uuid)
), written AS (
    INSERT INTO registry_physicalgpu AS known (
        tenant_id, uuid, set_model, seen_model, seen_model_at, set_vendor, seen_vendor, seen_vendor_at, seen_node_id,
        seen_node_at, seen_memory_total_gb, seen_memory_total_gb_at, labels, architecture, compute_capability,
        pcie_bus_id, first_seen, last_seen)
    SELECT
        tenant_id, uuid, '', coalesce(model, ''), model_at, '', coalesce(vendor, ''), vendor_at, node_id, node_at,
        memory_total_gb, memory_total_gb_at, '{{}}', '', '', '', first_seen, last_seen
    FROM seen
    ON CONFLICT (tenant_id, uuid) DO UPDATE SET
    {",".join(_KEEP_FRESH.format(*fact) for fact in _CARD_FACTS)},
    {_WIDEN}{"".join(_IS_FRESHER.format(*fact) for fact in _CARD_FACTS)}
    RETURNING id, seen_model, seen_vendor, seen_node_id, seen_memory_total_gb
)
SELECT count(*) FROM (TABLE written EXCEPT TABLE before) AS changed
"""

_SEE_RESOURCES: Final = f"""
WITH seen AS (
    SELECT tenant.id AS tenant_id, told.*, card.id AS physical_id, node.id AS node_id
    FROM unnest(
            %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::float8[],
            %s::timestamptz[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::text[],
            %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
        AS told (
            tenant, uuid, card, physical_at, resource_type, resource_type_at, memory_total_gb, memory_total_gb_at,
            model, model_at, vendor, vendor_at, node, node_at, first_seen, last_seen)
    JOIN registry_tenant AS tenant ON tenant.slug = told.tenant
    LEFT JOIN registry_physicalgpu AS card ON card.tenant_id = tenant.id AND card.uuid = told.card
    LEFT JOIN registry_node AS node ON node.tenant_id = tenant.id AND node.name = told.node
), before AS (
    SELECT
        known.id, known.seen_physical_id, known.seen_resource_type, known.seen_memory_total_gb, known.seen_model,
        known.seen_vendor, known.seen_node_id
    FROM registry_computeresource AS known
    JOIN seen USING (tenant_id, uuid)
), written AS (
    INSERT INTO registry_computeresource AS known (
        tenant_id, uuid, seen_physical_id, seen_physical_at, set_resource_type, seen_resource_type,
        seen_resource_type_at, seen_memory_total_gb, seen_memory_total_gb_at, seen_model, seen_model_at, seen_vendor,
        seen_vendor_at, seen_node_id, seen_node_at, set_mig_profile, labels, retired_by, first_seen, last_seen)
    SELECT
        tenant_id, uuid, physical_id, physical_at, '', coalesce(resource_type, ''), resource_type_at, memory_total_gb,
        memory_total_gb_at, coalesce(model, ''), model_at, coalesce(vendor, ''), vendor_at, node_id, node_at, '',
        '{{}}', '', first_seen, last_seen
    FROM seen
    ON CONFLICT (tenant_id, uuid) DO UPDATE SET
    {",".join(_KEEP_FRESH.format(*fact) for fact in _RESOURCE_FACTS)},
    {_WIDEN}{"".join(_IS_FRESHER.format(*fact) for fact in _RESOURCE_FACTS)}
    RETURNING
        id, seen_physical_id, seen_resource_type, seen_memory_total_gb, seen_model, seen_vendor, seen_node_id
)
SELECT count(*) FROM (TABLE written EXCEPT TABLE before) AS changed
"""

# A holder who comes back after an operator ended a context of his opens a new one, and not before the old one's end.
_ATTACH: Final = """
INSERT INTO registry_resourcecontext AS held (
    resource_id, user_label, hostname, pod, process_id, labels, attached_at, ended_by, last_seen)
SELECT
    resource.id, seen.user_label, seen.hostname, seen.pod, seen.process_id, '{}'::jsonb,
    greatest(seen.first_seen, past.detached_at), '', seen.last_seen
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
        AND closed.ended_by = 'operator'
) AS past ON true
WHERE past.detached_at IS NULL OR past.detached_at < seen.last_seen
ON CONFLICT (resource_id, user_label, hostname, pod, process_id) WHERE NOT (ended_by = 'operator') DO UPDATE SET
    attached_at = least(held.attached_at, excluded.attached_at),
    last_seen = greatest(held.last_seen, excluded.last_seen)
WHERE excluded.attached_at < held.attached_at OR held.last_seen IS NULL OR excluded.last_seen > held.last_seen
"""


def record_sightings(sightings: Sequence[Sighting]) -> int:
    """Bring the registry up to what was seen; return of how many cards and resources a fact is new.

    Of several sightings of one thing the latest that says a fact counts. What follows for contexts and for layouts is
    concluded too. Run it inside a transaction.
    """
    seen = [s for s in sightings if s.resource_uuid]
    resources = _merge((_resource(s) for s in seen), _RESOURCE_WORDS)
    _execute(_ADD_TENANTS, [(slug,) for slug in sorted({s.tenant for s in seen})])
    _execute(_ADD_NODES, _merge((((s.tenant, s.node_id), {}, s) for s in seen if s.node_id), ()))
    changed = _count(_SEE_CARDS, _merge((_card(s) for s in seen if _card_of(s)), _CARD_WORDS))
    changed += _count(_SEE_RESOURCES, resources)
    holders = (_holder(s) for s in seen if s.user_label or s.hostname or s.pod or s.process_id is not None)
    _execute(_ATTACH, _merge(holders, ()))
    touched = [row[:2] for row in resources]
    changed += retire_old_layouts(touched)
    conclude_contexts(touched)
    return changed


def _card_of(s: Sighting) -> str:
    """Return the card: as sent, else the resource itself where that is no slice, as an Apple GPU is none."""
    is_apple = s.user_label.startswith("mps:") and not s.resource_type and not s.resource_uuid.startswith("MIG-")
    is_whole = s.resource_type == FULL_CARD or is_apple
    return s.physical_uuid or (s.resource_uuid if is_whole else "")


def _card(s: Sighting) -> Told:
    memory_gb = s.memory_total_gb if s.resource_uuid == _card_of(s) else None
    facts = {"model": s.model, "vendor": s.vendor, "node": s.node_id, "memory_total_gb": memory_gb}
    return (s.tenant, _card_of(s)), {name: (s.last_seen, said) for name, said in facts.items()}, s


def _resource(s: Sighting) -> Told:
    facts = {
        "resource_type": s.resource_type,
        "memory_total_gb": s.memory_total_gb,
        "model": s.model,
        "vendor": s.vendor,
        "node": s.node_id,
    }
    card = (s.last_seen if s.physical_uuid else _IMPLIED_AT, _card_of(s))
    return (s.tenant, s.resource_uuid), {"card": card, **{name: (s.last_seen, f) for name, f in facts.items()}}, s


def _holder(s: Sighting) -> Told:
    return (s.tenant, s.resource_uuid, s.user_label, s.hostname, s.pod, s.process_id), {}, s


def _merge(told: Iterable[Told], words: Sequence[str]) -> list[Row]:
    """Make one row of those with the same key: each fact of `words` as it was said last, and when; then the times.

    The rows come in the order of their keys, in which every writer locks them.
    """
    merged: dict[Row, tuple[dict[str, Fact], datetime, datetime]] = {}
    for key, facts, s in told:
        known, first_seen, last_seen = merged.get(key, ({}, s.first_seen, s.last_seen))
        for name, fact in facts.items():
            if fact[1]:
                known[name] = max(known.get(name, fact), fact)
        merged[key] = (known, min(first_seen, s.first_seen), max(last_seen, s.last_seen))
    rows = [
        (*key, *(part for word in words for part in reversed(known.get(word, _NOT_SAID))), first_seen, last_seen)
        for key, (known, first_seen, last_seen) in merged.items()
    ]
    return sorted(rows, key=lambda row: tuple(map(str, row)))


def _execute(statement: str, rows: Sequence[Row]) -> None:
    """Run a statement whose parameters are arrays, one a column of `rows`."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _count(statement: str, rows: Sequence[Row]) -> int:
    """Do the same; return the number that the statement answers with."""
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
        (number,) = cursor.fetchone()
    return int(number)
