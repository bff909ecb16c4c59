"""What follows of sightings for who holds a resource: which contexts have ended, though nobody said so.

A new holder of the same resource ends the hold of one who was not seen after it came; a silent one held it until it was
seen last. Both are conclusions, of what stands in the table and of the time of day alone: a sighting that says
otherwise, however late it comes, makes the next run conclude otherwise. What an operator ended is left as it is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection

# A context that was never seen is an operator's word alone, and open or ended as they say.
_CONCLUDE: Final = """
WITH concerned AS (
    SELECT resource.id
    FROM unnest(%(tenants)s::text[], %(uuids)s::text[]) AS touched (tenant, uuid)
    JOIN registry_tenant AS tenant ON tenant.slug = touched.tenant
    JOIN registry_computeresource AS resource ON resource.tenant_id = tenant.id AND resource.uuid = touched.uuid
    UNION
    SELECT unnest(%(resource_ids)s::bigint[])
    UNION
    SELECT resource_id FROM registry_resourcecontext WHERE detached_at IS NULL AND last_seen < %(silent_since)s
), held AS (
    SELECT
        context.id, context.resource_id, context.attached_at,
        greatest(context.attached_at, context.last_seen) AS until
    FROM registry_resourcecontext AS context
    JOIN concerned ON concerned.id = context.resource_id
    WHERE context.ended_by <> 'operator' AND context.last_seen IS NOT NULL
), ends AS (
    SELECT
        held.id,
        CASE
            WHEN successor.attached_at - held.until <= %(silence)s THEN successor.attached_at
            WHEN held.until < %(silent_since)s THEN held.until
        END AS detached_at,
        CASE
            WHEN successor.attached_at - held.until <= %(silence)s THEN 'successor'
            WHEN held.until < %(silent_since)s THEN 'silence'
        END AS ended_by
    FROM held
    LEFT JOIN LATERAL (
        SELECT min(other.attached_at) AS attached_at
        FROM registry_resourcecontext AS other
        WHERE other.resource_id = held.resource_id
            AND other.attached_at >= held.until
            AND other.attached_at > held.attached_at
    ) AS successor ON true
)
UPDATE registry_resourcecontext AS context
SET detached_at = ends.detached_at, ended_by = CASE WHEN ends.detached_at IS NULL THEN '' ELSE ends.ended_by END
FROM ends
WHERE ends.id = context.id AND context.detached_at IS DISTINCT FROM ends.detached_at
"""


def conclude_contexts(touched: Sequence[tuple[str, str]] = (), *, resource_ids: Sequence[int] = ()) -> int:
    """Conclude for the resources that were touched, as (tenant, uuid) or by id, and for all that fell silent.

    Return how many contexts end otherwise than before.
    """
    silence = timedelta(seconds=settings.CONTEXT_SILENCE_SECONDS)
    parameters: dict[str, Any] = {
        "tenants": [tenant for tenant, _ in touched],
        "uuids": [uuid for _, uuid in touched],
        "resource_ids": list(resource_ids),
        "silence": silence,
        "silent_since": datetime.now(UTC) - silence,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CONCLUDE, parameters)
        concluded: int = cursor.rowcount
    return concluded
