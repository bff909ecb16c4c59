"""What follows an edit of the registry: once it is committed, the next synchronisation carries it to ClickHouse.

What follows for who holds a resource is concluded at once. The one who edits waits for no ClickHouse. Writes that send
no signal (bulk updates, psql) are found by the periodic comparison of registry.mirror.
"""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from registry.conclusions import conclude_contexts
from registry.mirror import demand_mirror_on_commit
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext


@receiver([post_save, post_delete], sender=Node)
@receiver([post_save, post_delete], sender=PhysicalGPU)
@receiver([post_save, post_delete], sender=ComputeResource)
def mirror_once_committed(**_: Any) -> None:
    demand_mirror_on_commit()


@receiver(post_save, sender=ResourceContext)
def conclude_after_edit(instance: ResourceContext, **_: Any) -> None:
    conclude_contexts(resource_ids=[instance.resource_id])


@receiver(post_delete, sender=ResourceContext)
def conclude_after_deletion(instance: ResourceContext, origin: Any, **_: Any) -> None:
    is_whole_resource = getattr(origin, "model", type(origin)) is not ResourceContext
    if not is_whole_resource:
        conclude_contexts(resource_ids=[instance.resource_id])
