"""Which slices are of an old layout of their card? Those beside which what was seen since can't stand.

A card that is partitioned anew has slices of other UUIDs. The old ones are retired when that is certain: together with
what was seen at one later moment they would have more memory or more SMs than the card, or the whole card ran
processes after them, which it can't while it has slices; and the other way round. A retired one that is seen again is
back, but for one that an operator retired.
"""

from collections.abc import Sequence
from typing import Final

from django.db import connection

# Profiles name their memory in round numbers, 10gb of 9.75 GiB; the smallest slice is an eighth of its card.
_MEMORY_TOLERANCE: Final = 1.05
_SM_TOLERANCE: Final = 1.01

# Of a compute instance (1c.3g.40gb) the memory is its GPU instance's, and others' too, so it does not count.
_RETIRE: Final = """
WITH touched AS (
    SELECT DISTINCT resource.physical_id
    FROM unnest(%(tenants)s::text[], %(uuids)s::text[]) AS told (tenant, uuid)
    JOIN registry_tenant AS tenant ON tenant.slug = told.tenant
    JOIN registry_computeresource AS resource ON resource.tenant_id = tenant.id AND resource.uuid = told.uuid
    WHERE resource.physical_id IS NOT NULL
), part AS (
    SELECT
        resource.id, resource.physical_id, resource.retired_at, resource.retired_by, resource.first_seen,
        resource.last_seen, card.memory_total_gb AS card_gb,
        resource.uuid = card.uuid AS is_whole,
        coalesce(resource.sm_share, 0) AS sm_share,
        CASE WHEN resource.mig_profile LIKE '%%c.%%' THEN 0 ELSE coalesce(resource.memory_total_gb, 0) END AS memory_gb
    FROM touched
    JOIN registry_computeresource AS resource USING (physical_id)
    JOIN registry_physicalgpu AS card ON card.id = resource.physical_id
    WHERE resource.last_seen IS NOT NULL
        AND CASE
            WHEN resource.uuid = card.uuid THEN resource.resource_type IN ('', 'full_gpu')
            ELSE resource.resource_type LIKE 'mig%%' OR resource.uuid LIKE 'MIG-%%'
        END
), crowded AS (
    SELECT physical_id
    FROM part
    GROUP BY physical_id
    HAVING bool_or(retired_by = 'layout')
        OR bool_or(is_whole) AND NOT bool_and(is_whole)
        OR sum(sm_share) FILTER (WHERE NOT is_whole AND retired_at IS NULL) > %(sm_tolerance)s
        OR sum(memory_gb) FILTER (WHERE NOT is_whole AND retired_at IS NULL) > max(card_gb) * %(memory_tolerance)s
), gone AS (
    SELECT
        old.id,
        bool_or(
            other.is_whole <> old.is_whole
            OR beside.sm_share + old.sm_share > %(sm_tolerance)s
            OR beside.memory_gb + old.memory_gb > old.card_gb * %(memory_tolerance)s) IS TRUE AS is_gone
    FROM part AS old
    JOIN crowded USING (physical_id)
    LEFT JOIN part AS other ON other.physical_id = old.physical_id AND other.last_seen > old.last_seen
    LEFT JOIN LATERAL (
        SELECT sum(third.sm_share) AS sm_share, sum(third.memory_gb) AS memory_gb
        FROM part AS third
        WHERE third.physical_id = old.physical_id
            AND NOT third.is_whole
            AND third.last_seen > old.last_seen
            AND greatest(other.first_seen, old.last_seen) BETWEEN third.first_seen AND third.last_seen
    ) AS beside ON NOT old.is_whole AND NOT other.is_whole
    WHERE old.retired_by <> 'operator'
    GROUP BY old.id
)
UPDATE registry_computeresource AS resource
SET
    retired_at = CASE WHEN gone.is_gone THEN resource.last_seen END,
    retired_by = CASE WHEN gone.is_gone THEN 'layout' ELSE '' END
FROM gone
WHERE gone.id = resource.id AND gone.is_gone <> (resource.retired_by = 'layout')
"""


def retire_old_layouts(touched: Sequence[tuple[str, str]]) -> int:
    """Retire what can't be there any more on the cards of resources that were seen, (tenant, uuid) each.

    Return how many are retired, or are so no more.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _RETIRE,
            {
                "tenants": [tenant for tenant, _ in touched],
                "uuids": [uuid for _, uuid in touched],
                "sm_tolerance": _SM_TOLERANCE,
                "memory_tolerance": _MEMORY_TOLERANCE,
            },
        )
        changed: int = cursor.rowcount
    return changed
