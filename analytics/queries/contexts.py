"""Who held these resources in a range of time? The registry's contexts, the last first."""

from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet

from registry.models import ResourceContext

MAX_CONTEXTS: Final = 200


def contexts_within(
    *, resources: QuerySet[Any, Any], start: datetime, end: datetime
) -> tuple[list[ResourceContext], int]:
    """Return the last MAX_CONTEXTS that held any of `resources` in [start, end), and how many there are in all.

    Each with its resource; the last who came first. One statement, two where there are more.
    """
    was_on = Q(detached_at=None) | Q(detached_at__gte=start)
    found = ResourceContext.objects.filter(was_on, resource__in=resources.order_by().values("pk"), attached_at__lt=end)
    shown = list(found.select_related("resource").newest_first()[: MAX_CONTEXTS + 1])
    return shown[:MAX_CONTEXTS], len(shown) if len(shown) <= MAX_CONTEXTS else found.count()
