"""Carries every edit of the registry to ClickHouse: once it is committed, the next synchronisation mirrors it.

The one who edits waits for no ClickHouse. Writes that send no signal (bulk updates, psql) are found by the periodic
comparison of registry.mirror.
"""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from registry.mirror import demand_mirror
from registry.models import ComputeResource, PhysicalGPU


@receiver([post_save, post_delete], sender=PhysicalGPU)
@receiver([post_save, post_delete], sender=ComputeResource)
def mirror_once_committed(**_: Any) -> None:
    # Robust: a cache that is away is logged, and must not fail an edit that stands already.
    transaction.on_commit(demand_mirror, robust=True)
