"""Nodes: the machines that cards sit in."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from registry.models.facts import set_text
from registry.models.history import history
from registry.models.labels import labels_constraints, labels_field, labels_index
from registry.models.tenant import Tenant


class Node(models.Model):
    """A machine. Sightings make it, under the name that spans call `node_id`; all else operators say.

    Example: `dgx-h100-02`, a p5.48xlarge in the zone us-east-1a of AWS, driver 570.86.15, CUDA 12.8, in rack b7.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="nodes", db_index=False)
    name = models.CharField(max_length=255, help_text="As spans call it: gpu.N.node_id.")
    cloud_provider = set_text(help_text="aws, gcp, azure, on-premises …")
    region = set_text(help_text="us-east-1 …")
    zone = set_text(help_text="us-east-1a …")
    machine_type = set_text(help_text="p5.48xlarge …")
    driver_version = set_text(help_text="570.86.15 …")
    cuda_version = set_text(verbose_name="CUDA version", help_text="12.8 …")
    labels = labels_field()
    first_seen = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)

    history: ClassVar = history("first_seen", "last_seen")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["tenant", "name"], name="node_name_unique"),
            # What the foreign keys of cards and resources refer to, so that none leads to another tenant.
            models.UniqueConstraint(fields=["tenant", "id"], name="node_of_tenant"),
            models.CheckConstraint(condition=~Q(name=""), name="node_name_not_empty"),
            models.CheckConstraint(condition=Q(last_seen__gte=F("first_seen")), name="node_seen_in_order"),
            *labels_constraints("node"),
        )
        indexes = (labels_index("node"),)

    def __str__(self) -> str:
        return self.name
