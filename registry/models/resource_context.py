"""Resource contexts: who held a resource, when, and under what label."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.lookups import Exact

from registry.models.compute_resource import ComputeResource
from registry.models.history import history
from registry.models.remembering import Remembering

HOLDER_FIELDS = ("resource", "user_label", "hostname", "pod", "process_id")


class EndedBy(models.TextChoices):
    """Why a context has ended. An operator's end stays; the others are conclusions, which a sighting may withdraw."""

    OPERATOR = "operator"
    SUCCESSOR = "successor"
    SILENCE = "silence"


class ResourceContextQuerySet(models.QuerySet["ResourceContext"]):
    """Reads and writes of contexts that recur."""

    def open(self) -> Self:
        """Those that nobody has seen to end."""
        return self.filter(detached_at=None)

    def end(self, moment: datetime) -> int:
        """End them for good, as an operator does, each with its history. Return how many."""
        ended = list(self)
        for context in ended:
            context.detached_at = moment
            context.save()
        return len(ended)

    def newest_first(self) -> Self:
        return self.order_by("-attached_at", "-pk")

    def held_at(self, moment: datetime) -> Self:
        """Those that held their resource at this moment. Who fell silent held it at the last sighting still."""
        is_on = Q(detached_at=None) | Q(detached_at__gt=moment) | Q(detached_at=moment, ended_by=EndedBy.SILENCE)
        return self.filter(is_on, attached_at__lte=moment)


class ResourceContext(Remembering):
    """Who held a resource from `attached_at` to `detached_at`, which is null while the holder may still have it.

    All sightings of a holder are one context, unless an operator ended it: `ended_by` tells (registry.conclusions).

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
    ended_by = models.CharField(max_length=9, choices=EndedBy.choices, blank=True, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)

    remembered_field = "detached_at"

    objects = ResourceContextQuerySet.as_manager()
    history: ClassVar = history("last_seen")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=HOLDER_FIELDS,
                condition=~Q(ended_by=EndedBy.OPERATOR),
                nulls_distinct=False,
                name="resource_context_one_per_holder",
            ),
            models.CheckConstraint(
                condition=Q(detached_at=None, ended_by="") | Q(detached_at__isnull=False, ended_by__in=EndedBy.values),
                name="resource_context_ended_by",
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
            models.Index(fields=["resource", "attached_at"], name="resource_context_of_resource"),
            models.Index(fields=["resource"], condition=Q(detached_at=None), name="resource_context_open"),
            models.Index(fields=["hostname", "attached_at"], name="resource_context_hostname"),
            models.Index(fields=["pod", "attached_at"], condition=~Q(pod=""), name="resource_context_pod"),
            GinIndex(fields=["labels"], name="resource_context_labels"),
        )

    def __str__(self) -> str:
        place = "/".join(part for part in (self.hostname, self.pod, str(self.process_id or "")) if part)
        return f"{self.user_label or 'unlabelled'} at {place}" if place else self.user_label or "unlabelled"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it. Who saves it by the ORM is an operator: an end that differs from before is their word."""
        if self.differs():
            self.ended_by = EndedBy.OPERATOR if self.detached_at else ""
        super().save(*args, **kwargs)
