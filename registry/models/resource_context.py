"""Resource contexts: who held a resource, when, and under what label."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Greatest
from django.db.models.lookups import Exact

from registry.models.compute_resource import ComputeResource

HOLDER_FIELDS = ("resource", "user_label", "hostname", "pod", "process_id")


class ResourceContextQuerySet(models.QuerySet["ResourceContext"]):
    """Reads and writes of contexts that recur."""

    def open(self) -> Self:
        """Those that nobody has seen to end."""
        return self.filter(detached_at=None)

    def newest_first(self) -> Self:
        return self.order_by("-attached_at", "-pk")

    def detach_unseen_since(self, moment: datetime) -> int:
        """Close, at their last sighting, the open contexts that have none after `moment`. Return how many."""
        return self.open().filter(last_seen__lt=moment).update(detached_at=Greatest("attached_at", "last_seen"))


class ResourceContext(models.Model):
    """Who held a resource from `attached_at` to `detached_at`, which is null while the holder may still have it.

    Four pods of a node each see their slice of one card as `cuda:0`; this layer tells them apart.

    Example: `cuda:0` at the host `dgx-h100-02` in the pod `vllm-llama-70b-6f7c9`, process 1, on the first
    `mig_3g.40gb` slice of an NVIDIA H100 80GB HBM3 since 09:30.
    """

    resource = models.ForeignKey(ComputeResource, on_delete=models.CASCADE, related_name="contexts", db_index=False)
    user_label = models.CharField("label", max_length=255, blank=True, help_text="As the process calls it: cuda:0")
    hostname = models.CharField(max_length=255, blank=True)
    pod = models.CharField(max_length=255, blank=True)
    process_id = models.BigIntegerField("process", null=True, blank=True)
    labels = models.JSONField(default=dict, blank=True, help_text='Free labels: {"team": "search"}')
    attached_at = models.DateTimeField()
    detached_at = models.DateTimeField(null=True, blank=True)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ResourceContextQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=HOLDER_FIELDS,
                condition=Q(detached_at=None),
                nulls_distinct=False,
                name="resource_context_one_open_per_holder",
            ),
            models.CheckConstraint(
                condition=Q(detached_at__gte=F("attached_at")), name="resource_context_attached_before_detached"
            ),
            models.CheckConstraint(
                condition=Exact(
                    Func(F("labels"), function="jsonb_typeof", output_field=models.TextField()), Value("object")
                ),
                name="resource_context_labels_object",
            ),
        )
        indexes = (
            models.Index(fields=HOLDER_FIELDS, name="resource_context_holder"),
            GinIndex(fields=["labels"], name="resource_context_labels"),
        )

    def __str__(self) -> str:
        place = "/".join(part for part in (self.hostname, self.pod, str(self.process_id or "")) if part)
        return f"{self.user_label or 'unlabelled'} at {place}" if place else self.user_label or "unlabelled"
